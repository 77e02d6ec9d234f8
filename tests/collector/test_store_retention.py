"""Retention deletes the oldest by arrival, in bounded steps, with everything that belongs to them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from logintel.bus import Record, Stored
from logintel_collector.alert import Changes, Notification
from logintel_collector.notifier.outbox import Attempt
from logintel_collector.processor import Processed, Processor
from logintel_collector.query import compile_text, product_mapping
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_retention import Retention
from logintel_collector.stores.sqlite_search import Search
from logintel_collector.stores.sqlite_terms import BLOCK_BITS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
Records = Callable[..., list[Stored]]


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def filled(path: Path, clock: Clock, records: Records, days: int, count: int = 400) -> Store:
    """A store to which `count` events came on each of some days; whatever their own dates."""
    store, processor = await Store.open(path, clock), Processor(clock)
    for day in range(days):
        clock.time = NOW + day * DAY
        first = 1 + day * count
        await store.apply(processor.process(records(count, first=first), {}), Changes(), first + count - 1)
    return store


async def emptied(store: Store, retention: Retention) -> list[int]:
    """How much each call deleted, until there was nothing left to delete."""
    deleted = []
    while done := await store.expire(retention):
        deleted.append(done)
    return deleted


def test_age_counts_from_arrival(tmp_path: Path, records: Records) -> None:
    path, clock = tmp_path / "logintel.sqlite", Clock()

    async def main() -> list[int]:
        store = await filled(path, clock, records, 4)
        assert await emptied(store, Retention(days=30)) == []
        clock.time = NOW + 31.5 * DAY
        deleted = await emptied(store, Retention(days=30))
        await store.close()
        return deleted

    assert sum(asyncio.run(main())) == 800
    assert rows(path, "SELECT DISTINCT created_at FROM log_entries ORDER BY 1") == [
        ("2026-11-24T12:00:00.000000Z",),
        ("2026-11-25T12:00:00.000000Z",),
    ]
    assert rows(path, "SELECT count(*) FROM documents") == [(800,)]


def test_bytes_are_bounded_and_space_is_used_again(tmp_path: Path, records: Records) -> None:
    path, clock = tmp_path / "logintel.sqlite", Clock()
    bound = 4 * 1024 * 1024

    async def main() -> int:
        store, processor = await Store.open(path, clock), Processor(clock)
        most = 0
        for first in range(1, 12_001, 1000):
            await store.apply(processor.process(records(1000, first=first), {}), Changes(), first + 999)
            most = max([most, *await emptied(store, Retention(max_bytes=bound))])
        assert 0 < await store.total_indexed() < 12_000
        await store.close()
        return most

    assert 0 < asyncio.run(main()) <= 2048
    (pages,), (free,) = rows(path, "PRAGMA page_count")[0], rows(path, "PRAGMA freelist_count")[0]
    assert (pages - free) * 4096 <= bound
    assert path.stat().st_size < 2 * bound


def test_what_is_left_is_found_and_what_is_gone_leaves_no_words(tmp_path: Path, records: Records) -> None:
    path, clock = tmp_path / "logintel.sqlite", Clock()

    async def main() -> None:
        store = await filled(path, clock, records, 3)
        clock.time = NOW + 31.5 * DAY
        await emptied(store, Retention())
        await store.close()

    asyncio.run(main())
    query = compile_text("message:error", product_mapping(), clock)
    with Search(path) as search:
        found = {str(document["log_id"]) for document in search.documents(query)}
        everything = list(search.documents(compile_text("*", product_mapping(), clock)))
    assert found == {document["log_id"] for document in everything if query.predicate(document)} != set()
    blocks = f"SELECT DISTINCT id >> {BLOCK_BITS} FROM documents ORDER BY 1"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO document_terms (document_terms) VALUES ('optimize')")
        connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab (main, document_terms, instance)")
        left = connection.execute("SELECT DISTINCT doc FROM temp.words ORDER BY 1").fetchall()
        assert left == connection.execute(blocks).fetchall()


def test_dead_letters_and_told_notifications_go_too(tmp_path: Path) -> None:
    path, clock = tmp_path / "logintel.sqlite", Clock()
    stamp = "2026-11-22T12:00:00.000000Z"
    broken = [Stored(1, Record(b"broken", b"s" * 16, b"1" * 12))]

    async def main() -> None:
        store = await Store.open(path, clock)
        told, waiting = Notification("n1", "a1", {}, stamp), Notification("n2", "a1", {}, stamp)
        await store.apply(Processor(clock).process(broken, {}), Changes(notifications=[told, waiting]), 1)
        await store.report("log", [Attempt("n1"), Attempt("n2")])
        await store.report("webhook", [Attempt("n2", "refused", stamp)])
        clock.time = NOW + 2 * DAY
        await emptied(store, Retention())
        assert rows(path, "SELECT id FROM outbox") == [("n2",)]
        assert rows(path, "SELECT count(*) FROM dead_letters") == [(1,)]
        clock.time = NOW + 31 * DAY
        await emptied(store, Retention())
        assert rows(path, "SELECT count(*) FROM dead_letters") == [(0,)]
        await store.apply(Processed(), Changes(), 2)
        await store.close()

    asyncio.run(main())


def test_room_is_given_back_to_the_file_system(tmp_path: Path, records: Records) -> None:
    """Users of peers find that retention deletes and the disk stays full."""
    path, clock = tmp_path / "logintel.sqlite", Clock()

    async def main() -> tuple[int, int]:
        store = await filled(path, clock, records, 2, count=3000)
        before = rows(path, "PRAGMA page_count")[0][0] * 4096
        assert await store.give_back() == 0
        clock.time = NOW + 60 * DAY
        assert sum(await emptied(store, Retention())) == 6000
        calls = 0
        while await store.give_back():
            calls += 1
        await store.close()
        return before, calls

    before, calls = asyncio.run(main())
    assert before > 8 * 1024 * 1024
    assert path.stat().st_size < 5 * 1024 * 1024
    assert 0 < calls < 5
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_message_that_is_the_whole_text_leaves_no_words_either(tmp_path: Path) -> None:
    """With a word of 200 characters and more, deleting took more words away than were there: “malformed”, said SQLite."""
    path, clock = tmp_path / "logintel.sqlite", Clock()
    event = {"log_id": "x", "source_id": "s", "timestamp": "2026-11-22T12:00:00Z", "raw_log": "token=" + "ab1" * 200}
    record = Stored(1, Record(orjson.dumps(event), b"s" * 16, b"1" * 12))

    async def main() -> list[int]:
        store = await Store.open(path, clock)
        await store.apply(Processor(clock).process([record], {}), Changes(), 1)
        clock.time = NOW + 31 * DAY
        deleted = await emptied(store, Retention())
        await store.close()
        return deleted

    assert asyncio.run(main()) == [1]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO document_terms (document_terms) VALUES ('integrity-check')")
