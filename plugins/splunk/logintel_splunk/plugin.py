"""The plugin: registers the sources of this folder."""

from __future__ import annotations

from logintel.hooks import hookimpl
from logintel.source import Source
from logintel_splunk.source import SplunkSource


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [SplunkSource]
