"""The status report: the agent's heartbeat and its streams' ledgers, to the compacted topic agent-status.

Keys are JSON arrays: [installation, host, worker] for a heartbeat, [installation, host, worker, "config"] for what the
agent says of its host and its sources, [installation, host, stream id] for a stream. The newest record of a key counts;
a stream's last one says `ended`. A report that does not arrive is made good by the next.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import orjson
import structlog
from aiokafka.errors import KafkaError

from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_lane import SCHEMA_HEADER
from logintel.bus.kafka_sender import Sender
from logintel_agent.ledger import StreamLedger
from logintel_agent.mark import Mark
from logintel_agent.self_description import host_facts

#: Version of the records; who reads them takes this one and the one before.
VERSION: Final = 1
#: Seconds between two reports, and between two heartbeats when nothing moves.
EVERY: Final = 5.0
HEARTBEAT: Final = 30.0
#: Streams in one report; the others have their turn in the next.
_MOST: Final = 2000
#: Sources in a heartbeat, and bytes of it: beyond them details are left out.
SOURCES: Final = 1000
ROOM: Final = 512 * 1024
#: What is left out of a source first, and what then; the rest of 1,000 sources fits.
_DETAILS: Final = ((), ("worst", "troubles"), ("worst", "troubles", "dropped", "last_error", "configuration"))
#: Characters of an error that are told.
_ERROR: Final = 500
#: Seconds that the last report of a run may take.
_LAST: Final = 3.0
_log = structlog.get_logger(__name__)


class _Stream(NamedTuple):
    source: str
    name: str
    mark: Mark
    ledger: StreamLedger
    ended: bool


@dataclass(slots=True)
class StatusReport:
    """What is to be told.

    config    the version of the configuration in effect
    describe  the agent's status, without streams
    sources   what it says of its sources, told when `config` changes
    """

    sender: Sender
    installation: str
    worker: int
    config: Callable[[], str]
    describe: Callable[[], Awaitable[dict[str, Any]]]
    sources: Callable[[], list[dict[str, Any]]]
    host: str = field(default_factory=socket.gethostname)
    _changed: dict[str, _Stream] = field(default_factory=dict)
    _told: float | None = None
    _described: str = ""
    _trouble: str | None = None

    def watch(self, source: str, stream: str, mark: Mark, ledger: StreamLedger, ended: bool) -> None:
        """A stream went on: it is in the next report."""
        self._changed[mark.id] = _Stream(source, stream, mark, ledger, ended)

    @asynccontextmanager
    async def regularly(self) -> AsyncIterator[None]:
        """Report for as long as the block runs, and once more at its end."""
        reporting = asyncio.create_task(self._keep_reporting())
        try:
            yield
        finally:
            reporting.cancel()
            await asyncio.wait({reporting})
            if self._trouble is None:
                await self._last()
            await self.sender.close()

    async def report(self, *, stopped: bool = False) -> None:
        """Tell what has changed. What cannot be told now stays for the next time."""
        told = dict(list(self._changed.items())[:_MOST])
        if not told and not stopped and self._told is not None and time.monotonic() - self._told < HEARTBEAT:
            return
        for each in told:
            del self._changed[each]
        config = self.config()
        about = [] if config == self._described else [self._description(config)]
        try:
            await self.sender.send([await self._heartbeat(stopped=stopped), *about, *self._streams(told.values())])
        except (TimeoutError, KafkaError) as error:
            self._changed = told | self._changed
            self._note(f"{type(error).__name__}: {error}")
        except BaseException:
            self._changed = told | self._changed
            raise
        else:
            self._told, self._described = time.monotonic(), config
            self._note(None)

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.report()

    async def _last(self) -> None:
        try:
            async with asyncio.timeout(_LAST):
                await self.report(stopped=True)
        except TimeoutError:
            self._note("no answer in time")

    def _note(self, trouble: str | None) -> None:
        """Said once per change."""
        if trouble is not None and trouble != self._trouble:
            _log.warning("status_not_reported", reason=trouble, effect="tries again; events are not affected")
        self._trouble = trouble

    async def _heartbeat(self, *, stopped: bool) -> Message:
        status = await self.describe()
        about = {"kind": "agent", "version": version("logintel"), "config_version": self.config(), "stopped": stopped}
        for source in status["sources"]:
            if error := source["last_error"]:
                source["last_error"] = {**error, "text": error["text"][:_ERROR]}
        sources = status.pop("sources")
        return self._fitted([self.installation, self.host, str(self.worker)], {**about, **status}, sources)

    def _description(self, config_version: str) -> Message:
        about = {"kind": "config", "version": version("logintel"), "config_version": config_version}
        key = [self.installation, self.host, str(self.worker), "config"]
        return self._fitted(key, {**about, "host_facts": host_facts()}, self.sources())

    def _fitted(self, key: list[str], values: dict[str, Any], sources: list[dict[str, Any]]) -> Message:
        """With as much of `sources` as there is room for."""
        left_out = {"sources_left_out": len(sources) - SOURCES} if len(sources) > SOURCES else {}
        for details in _DETAILS:
            told = [{key: source[key] for key in source if key not in details} for source in sources[:SOURCES]]
            message = self._message(key, {**values, **left_out, "sources": told})
            if len(message[1] or b"") <= ROOM:
                break
        return message

    def _streams(self, streams: Iterable[_Stream]) -> Iterable[Message]:
        for source, name, mark, ledger, ended in streams:
            total = ledger.total()
            values = {
                "kind": "stream",
                "source": source,
                "stream": name,
                "id": mark.id,
                "partition": mark.partition,
                "last_event": mark.stamp,
                "ended": ended,
                **total.as_json(),
                "read": total.read + ledger.waiting,
                "waiting": ledger.waiting,
                "before": ledger.before,
                "ranges": [each.as_json() for each in ledger.ranges],
            }
            yield self._message([self.installation, self.host, mark.id], values)

    def _message(self, key: list[str], values: dict[str, Any]) -> Message:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        about = {"v": VERSION, "at": at, "installation": self.installation, "host": self.host, "worker": self.worker}
        return orjson.dumps(key), orjson.dumps({**about, **values}), [SCHEMA_HEADER]
