"""The plugin: registers the custom source."""

from __future__ import annotations

from logintel.hooks import hookimpl
from logintel.source import Source
from logintel_custom.source import CustomSource


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [CustomSource]
