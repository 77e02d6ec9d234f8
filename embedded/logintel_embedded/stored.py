"""The file of `logintel run` against the agent's ledger: whether it holds what was acknowledged.

Retention drops what came first, so ranges from before the oldest event that is left are not looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from logintel.identity import id_bounds, position_of
from logintel.refused import Refused
from logintel_agent.ledger import Range
from logintel_agent.ledger_view import Account
from logintel_collector.stores.errors import StoreError, explained
from logintel_collector.stores.sqlite_apply import FIRST_DOCUMENT
from logintel_collector.stores.sqlite_file import open_reader
from logintel_embedded.letter_boxes import WholeConfig

_OLDEST: Final = "SELECT document_id, created_at FROM log_entries ORDER BY document_id LIMIT 1"
_COUNT: Final = "SELECT count(*) FROM log_entries WHERE id BETWEEN ? AND ?"
_LETTERS: Final = "SELECT count(*) FROM dead_letters WHERE stream = ? AND seq BETWEEN ? AND ?"
_REACHED: Final = "SELECT seq FROM stream_positions WHERE stream = ?"


@dataclass(frozen=True, slots=True)
class Missing:
    """Events of a stream between two places of it that are not in the file."""

    source: str
    stream: str
    id: str
    seq: tuple[tuple[int, int], tuple[int, int]]
    events: int


@dataclass(slots=True)
class Stored:
    """Of the ranges that were looked at: events that were acknowledged and what became of them; `waiting`: events of
    ranges that are on the bus still, `before`: of those that retention may have touched.
    """

    came: int = 0
    done: int = 0
    dead_letters: int = 0
    waiting: int = 0
    before: int = 0
    missing: list[Missing] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return asdict(self)

    def line(self) -> str:
        """For a person."""
        missing = sum(each.events for each in self.missing)
        rest = f"{self.dead_letters} dead letters, {self.waiting} on the bus, {missing} missing"
        older = f"; {self.before} older ones are not looked at" if self.before else ""
        return f"stored: {self.done} of {self.came} acknowledged events, {rest}{older}"

    def faults(self) -> list[str]:
        """What is missing."""
        return [
            f"store: {each.events} events of stream {each.stream} {each.id}, source {each.source}, between seq "
            f"{each.seq[0]} and {each.seq[1]} are missing"
            for each in self.missing
        ]


def compared(config: WholeConfig, accounts: Iterable[Account]) -> Stored:
    """Compare. Raises Refused where the file cannot be read."""
    path = config.stores.sqlite.path
    try:
        with closing(open_reader(path)) as connection, explained(path):
            since = _since(connection, config.stores.retention.days)
            found = Stored()
            for account in accounts:
                for each in _chunks(account, connection):
                    _compare(found, connection, account, each, since)
    except StoreError as error:
        raise Refused(str(error)) from error
    return found


def _since(connection: sqlite3.Connection, days: int) -> int:
    """Hours since 1970 from which on nothing was dropped."""
    kept = datetime.now(UTC) - timedelta(days=min(days, 36_500))
    oldest = connection.execute(_OLDEST).fetchone()
    moments = [kept]
    if oldest is None or oldest[0] > FIRST_DOCUMENT:
        moments.append(datetime.fromisoformat(oldest[1]) if oldest else datetime.now(UTC))
        return int(max(moments).timestamp() // 3600) + 1
    return int(kept.timestamp() // 3600)


def _chunks(account: Account, connection: sqlite3.Connection) -> Iterator[tuple[Range, bool]]:
    """The ranges, and whether the file has got so far."""
    if not account.ranges:
        return
    reached = connection.execute(_REACHED, (bytes.fromhex(account.id),)).fetchone()
    for each in account.ranges:
        yield each, reached is not None and each.last <= reached[0]


def _compare(
    found: Stored, connection: sqlite3.Connection, account: Account, chunk: tuple[Range, bool], since: int
) -> None:
    known, is_reached = chunk
    came = known.counts.acknowledged
    if known.since < since:
        found.before += came
        return
    if not is_reached:
        found.waiting += came
        return
    stream = bytes.fromhex(account.id)
    (stored,) = connection.execute(_COUNT, id_bounds(stream, known.first, known.last)).fetchone()
    (letters,) = connection.execute(_LETTERS, (stream, known.first, known.last)).fetchone()
    found.came += came
    found.done += min(stored, came)
    found.dead_letters += letters
    if came > stored + letters:
        seq = (position_of(known.first), position_of(known.last))
        found.missing.append(Missing(account.source, account.stream, account.id, seq, came - stored - letters))
