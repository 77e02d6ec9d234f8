"""Streams that have ended: their reports on agent-status become one total for each host and source.

Only when their books close, and some minutes after the last word: until then each may be asked for by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from logintel.bus.kafka_batch import Message
from logintel.bus.topics import STATUS
from logintel_collector.closing.gather import close_ended
from logintel_collector.closing.reports import EndedStreams, SentStream, ended_out
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.processor import stamp
from logintel_collector.roles.transactions import Transactions

#: After the last report: the agent may send one again that it does not know to have arrived.
_SETTLED: Final = timedelta(minutes=10)
#: Seconds that the stages have to pass what is on its way.
_PATIENCE: Final = 30.0
_SCHEMA: Final = ("schema", b"1")
_log = structlog.get_logger(__name__)


class EndedStreamsChore(Chore):
    """`ended`: how many were folded in this run. Of two keepers the one that begins later fences the other."""

    name = "ended_streams"
    every = 600.0

    def __init__(self, config: CollectorConfig, settled: timedelta = _SETTLED) -> None:
        super().__init__()
        assert config.bus.kafka is not None
        self.ended = 0
        self._config, self._kafka, self._settled = config, config.bus.kafka, settled

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {"ended": self.ended}

    async def keep(self) -> None:
        """See Chore. Totals are read after fencing: nobody else adds to them then."""
        transactions = await Transactions.open(self._kafka, f"{self._config.installation}/keeper/ended-streams")
        try:
            before = stamp(datetime.now(UTC) - self._settled)
            streams, totals = await close_ended(self._config, self._kafka, before, _PATIENCE)
            if streams:
                await transactions.send(*_parts(streams, totals, stamp(datetime.now(UTC))))
                await transactions.commit()
        finally:
            await transactions.close()
        self.ended += len(streams)
        if streams:
            _log.info("ended_streams_folded", streams=len(streams))


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it."""
    return EndedStreamsChore(config)


def _parts(
    streams: Sequence[SentStream], totals: Sequence[EndedStreams], at: str
) -> list[tuple[str, int, list[Message]]]:
    """Totals are all in partition 0, so that each replaces the one before."""
    by_place: dict[int, list[Message]] = {0: [ended_out(total, at) for total in totals]}
    for stream in streams:
        by_place.setdefault(stream.place, []).append((stream.key, None, [_SCHEMA]))
    return [(STATUS.name, place, messages) for place, messages in by_place.items()]
