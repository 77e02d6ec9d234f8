"""The replay: a record of log-ingestion sent once more, because the bus or the collector once refused it.

It keeps its key, its value and with it the event's id, but says its place in header `replay` instead of `seq`: the
processor lets it pass though later records of its stream went before, and rules do not count it. Sent twice, it is
stored once, under its id.
"""

from __future__ import annotations

from typing import Final

from logintel.bus import Record
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_lane import SCHEMA_HEADER

#: On log-ingestion its value is the seq; on log-processing it is there, and empty.
HEADER: Final = "replay"


def message(record: Record) -> Message:
    """For log-ingestion."""
    return record.stream, record.value, [(HEADER, record.seq), SCHEMA_HEADER]
