"""The plugin: registers the application source."""

from __future__ import annotations

from logintel.hooks import hookimpl
from logintel.source import Source
from logintel_application.source import ApplicationSource


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [ApplicationSource]
