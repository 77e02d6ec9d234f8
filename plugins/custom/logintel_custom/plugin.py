"""The plugin: registers the sources of this folder."""

from __future__ import annotations

from logintel.hooks import hookimpl
from logintel.source import Source
from logintel_custom.kafka_source import KafkaSource
from logintel_custom.source import CustomSource


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [CustomSource, KafkaSource]
