"""A full disk: nothing is half-written, the writer waits, and goes on where it stopped once there is room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logintel.bus import Stored
from logintel.bus.local import LocalBus
from logintel_collector.alert import Changes
from logintel_collector.alerter import Alerter
from logintel_collector.embedded_step import EmbeddedCollector
from logintel_collector.processor import Processor
from logintel_collector.stores.errors import StoreFull
from logintel_collector.stores.sqlite import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Records = Callable[..., list[Stored]]


def now() -> datetime:
    return NOW


def limit_pages(store: Store, more: int) -> None:
    """SQLite's own limit makes the same error as a disk without room."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + more}")


def give_room(store: Store) -> None:
    store._connection.execute(f"PRAGMA max_page_count = {2**30}")


def test_nothing_of_a_batch_is_kept_and_the_same_batch_succeeds_later(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "logintel.sqlite"
    first, second = (Processor(now).process(batch, {}) for batch in (records(300), records(3000, first=301)))

    async def main() -> None:
        store = await Store.open(path, now)
        await store.apply(first, Changes(), 300)
        limit_pages(store, 40)
        for _ in range(2):
            with pytest.raises(StoreFull, match=r"logintel\.sqlite: no room"):
                await store.apply(second, Changes(), 3300)
            assert (await store.offset(), await store.total_indexed()) == (300, 300)
            assert await store.positions() == first.positions
        give_room(store)
        await store.apply(second, Changes(), 3300)
        assert (await store.offset(), await store.total_indexed()) == (3300, 3300)
        await store.close()

    asyncio.run(main())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO document_terms (document_terms) VALUES ('integrity-check')")


def test_the_collector_waits_until_there_is_room(tmp_path: Path, records: Records) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path / "logintel.sqlite", now)
        async with LocalBus(tmp_path / "bus", 2**30) as bus:
            collector = EmbeddedCollector(bus.consumer(0), Processor(now), Alerter((), (), (), now), store)
            await (await bus.producer().send([stored.record for stored in records(2000)]))
            limit_pages(store, 10)
            step = asyncio.create_task(collector.step(2000))
            while collector.stalled is None:
                assert not step.done(), step.result()
                await asyncio.sleep(0.01)
            assert "no room" in collector.stalled
            assert not step.done()
            give_room(store)
            async with asyncio.timeout(60):
                done = await step
            assert collector.stalled is None
            assert await store.total_indexed() == len(done.processed.documents) > 0
            bus.release(done.offset)
        await store.close()

    asyncio.run(main())
