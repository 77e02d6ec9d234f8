"""The embedded collector's store: one SQLite file, written by one thread of its own. Every batch is one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from logintel.dead_letter import DeadLetter
from logintel_collector.alert import Alert, Changes, RuleState
from logintel_collector.analytics.point import Point
from logintel_collector.notifier.outbox import Attempt, PendingNotification
from logintel_collector.processor import Processed, stamp
from logintel_collector.rules.rule import Rule
from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.watch import Findings, Key
from logintel_collector.stores import (
    sqlite_alerts,
    sqlite_analytics,
    sqlite_outbox,
    sqlite_retention,
    sqlite_rules,
    sqlite_sources,
)
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_apply import READER, next_document_id, save
from logintel_collector.stores.sqlite_file import open_writer, transaction
from logintel_collector.stores.sqlite_retention import Retention

#: Streams that sent nothing for so long are forgotten; nobody replays events that old.
_IDLE: Final = timedelta(days=30)
_DROP_LETTER: Final = (
    "UPDATE dead_letters SET original = x'', dropped_at = :now "
    "WHERE log_id = :log_id AND stage = :stage AND dropped_at IS NULL"
)
_REMOVE_LETTER: Final = "DELETE FROM dead_letters WHERE log_id = :log_id AND stage = :stage"
_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class Store:
    """Opened with `Store.open`; the only writer of events. It is also the notifier's Outbox and the analyst's Sink.

    Every call runs on the store's own thread, in the order of the calls, and is durable (fsync) when it returns.
    All may raise StoreFull (nothing was kept: wait, then call again), StoreLocked, StoreDamaged or StoreError.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, thread: ThreadPoolExecutor, clock: Callable[[], datetime]
    ) -> None:
        self.path = path
        self._connection = connection
        self._thread = thread
        self._clock = clock
        self._next_id = next_document_id(connection)

    @classmethod
    async def open(cls, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Store:
        """The store in file `path`, made or migrated as needed. Raises StoreError, OSError."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")

        def opened() -> Store:
            connection = open_writer(path)
            with explained(path):
                return cls(path, connection, thread, clock)

        try:
            return await asyncio.get_running_loop().run_in_executor(thread, opened)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Finish what was called, then close the file."""
        await self._call(self._connection.close)
        self._thread.shutdown(wait=False)

    async def apply(self, processed: Processed, changes: Changes, offset: int) -> None:
        """All of one batch or nothing: documents, rows, positions, rule states, alerts, outbox, dead letters, offset.

        `offset` is that of the batch's last record. Applying the same batch again changes nothing.
        """
        await self._call(self._apply, processed, changes, offset)

    async def offset(self) -> int:
        """Offset of the last record of the bus that is stored; 0: nothing is."""
        return await self._call(self._offset)

    async def positions(self) -> dict[bytes, bytes]:
        """The repeat map: stream → last seq that is stored."""
        return await self._call(self._positions)

    async def rule_states(self) -> list[RuleState]:
        """Every rule's state, group by group."""
        return await self._call(sqlite_alerts.rule_states, self._connection)

    async def open_alerts(self) -> list[Alert]:
        """Alerts that are neither resolved nor closed, oldest first."""
        return await self._call(sqlite_alerts.open_alerts, self._connection)

    async def save_rules(self, rules: Sequence[Rule]) -> None:
        """Make alert_rules show these rules; those that are gone stay, inactive."""
        await self._call(self._save_rules, rules)

    async def source_memories(self) -> dict[Key, Memory]:
        """What was remembered of each source's health."""
        return await self._call(sqlite_sources.memories, self._connection)

    async def save_health(self, installation: str, findings: Findings) -> None:
        """Write what was found of the sources' health."""
        await self._call(self._save_health, installation, findings)

    async def drop_letters(self, letters: Sequence[DeadLetter]) -> int:
        """Delete the content of dead letters, and note that it was; how many were there."""
        return await self._call(self._change_letters, _DROP_LETTER, letters)

    async def remove_letters(self, letters: Sequence[DeadLetter]) -> int:
        """Take dead letters whose events went on out of the file; how many were there."""
        return await self._call(self._change_letters, _REMOVE_LETTER, letters)

    async def total_indexed(self) -> int:
        """Documents in the index."""
        return await self._call(self._total_indexed)

    async def expire(self, retention: Retention) -> int:
        """Delete a bounded number of the oldest events beyond `retention`; how many. 0: nothing is left to delete."""
        return await self._call(self._expire, retention)

    async def give_back(self) -> int:
        """Make the file smaller by a bounded number of pages, where many are free; how many. 0: few are."""
        return await self._call(sqlite_retention.give_back, self._connection)

    async def pending(self, channel: str, now: str, limit: int) -> Sequence[PendingNotification]:
        """See Outbox."""
        return await self._call(sqlite_outbox.pending, self._connection, channel, now, limit)

    async def report(self, channel: str, attempts: Sequence[Attempt]) -> None:
        """See Outbox."""
        await self._call(self._report, channel, attempts)

    async def analytics_state(self) -> dict[bytes, bytes]:
        """What the analyst goes on from."""
        return await self._call(sqlite_analytics.state, self._connection)

    async def save(
        self,
        points: Sequence[Point],
        changes: Mapping[bytes, bytes | None],
        version: int,  # noqa: ARG002 - calls of one process come in the order of their versions
    ) -> None:
        """See the analyst's Sink."""
        await self._call(self._save_points, points, changes)

    async def _call(
        self, function: Callable[_Params, _Result], *args: _Params.args, **kwargs: _Params.kwargs
    ) -> _Result:
        def explaining() -> _Result:
            with explained(self.path):
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, explaining)

    def _apply(self, processed: Processed, changes: Changes, offset: int) -> None:
        now = stamp(self._clock())
        with transaction(self._connection):
            next_id = save(self._connection, processed, changes, offset, first_id=self._next_id, now=now)
        self._next_id = next_id

    def _save_rules(self, rules: Sequence[Rule]) -> None:
        with transaction(self._connection):
            sqlite_rules.save_rules(self._connection, rules, stamp(self._clock()))

    def _save_health(self, installation: str, findings: Findings) -> None:
        with transaction(self._connection):
            sqlite_sources.save(self._connection, installation, findings, stamp(self._clock()))

    def _report(self, channel: str, attempts: Sequence[Attempt]) -> None:
        with transaction(self._connection):
            sqlite_outbox.report(self._connection, channel, attempts)

    def _save_points(self, points: Sequence[Point], changes: Mapping[bytes, bytes | None]) -> None:
        with transaction(self._connection):
            sqlite_analytics.save_points(self._connection, points, stamp(self._clock()))
            sqlite_analytics.save_state(self._connection, changes)

    def _offset(self) -> int:
        row = self._connection.execute("SELECT position FROM bus_offsets WHERE reader = ?", (READER,)).fetchone()
        return int(row[0]) if row else 0

    def _positions(self) -> dict[bytes, bytes]:
        with transaction(self._connection):
            self._connection.execute("DELETE FROM stream_positions WHERE seen_at < ?", (stamp(self._clock() - _IDLE),))
        return dict(self._connection.execute("SELECT stream, seq FROM stream_positions"))

    def _change_letters(self, statement: str, letters: Sequence[DeadLetter]) -> int:
        now = stamp(self._clock())
        named = [{"log_id": letter.log_id, "stage": letter.stage, "now": now} for letter in letters]
        with transaction(self._connection):
            return self._connection.executemany(statement, named).rowcount

    def _total_indexed(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM log_entries").fetchone()[0])

    def _expire(self, retention: Retention) -> int:
        with transaction(self._connection):
            return sqlite_retention.expire(self._connection, retention, self._clock())
