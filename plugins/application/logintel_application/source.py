"""The application source: log files of applications, and what they send over sockets or pipe to us."""

from __future__ import annotations

from logintel.inputs.files import FileInputConfig
from logintel.inputs.text_source import TextSource, TextSourceConfig


class ApplicationConfig(TextSourceConfig, FileInputConfig):
    """Keys of the application source."""


class ApplicationSource(TextSource):
    """Log files of applications, followed through rotation, and a receiver for syslog, lines and pipes."""

    type = "application"
    Config = ApplicationConfig
    config: ApplicationConfig
