"""kill -9 in the middle of writing, again and again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson

from logintel.bus import Stored
from logintel.bus.local import LocalBus
from logintel_collector.alerter import Alerter
from logintel_collector.embedded_step import EmbeddedCollector
from logintel_collector.processor import Processor
from logintel_collector.query import compile_text, product_mapping
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_search import Search

EVENTS = 8_000
KILLS = 4
EVERYTHING = compile_text("*", product_mapping(), lambda: datetime.now(UTC))
Records = Callable[..., list[Stored]]
CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from logintel.bus.local import LocalBus
from logintel_collector.alerter import Alerter
from logintel_collector.embedded_step import EmbeddedCollector
from logintel_collector.processor import Processor
from logintel_collector.stores.sqlite import Store

async def main(data):
    clock = lambda: datetime.now(UTC)
    store = await Store.open(data / "logintel.sqlite")
    async with LocalBus(data / "bus", 2**30) as bus:
        consumer = bus.consumer(await store.offset())
        collector = EmbeddedCollector(consumer, Processor(clock), Alerter((), (), (), clock), store)
        print("started", flush=True)
        while bus.lag().records:
            bus.release((await collector.step(97)).offset)
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def now() -> datetime:
    return datetime.now(UTC)


async def fill(directory: Path, batch: Sequence[Stored]) -> None:
    async with LocalBus(directory, 2**30) as bus:
        bus.consumer(0)
        await (await bus.producer().send([stored.record for stored in batch]))


def test_kill_9_in_mid_write(tmp_path: Path, records: Records) -> None:
    batch = records(EVENTS)
    asyncio.run(fill(tmp_path / "bus", batch))
    rng, kills, code = random.Random(7), 0, None
    while code != 0:
        with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE) as child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.15) if kills < KILLS else 0)
            if kills < KILLS:
                child.send_signal(signal.SIGKILL)
            kills += 1
        code = child.returncode
        assert code in (0, -signal.SIGKILL)
        # A search needs no writer to mend the file first.
        with Search(tmp_path / "logintel.sqlite") as search:
            found = [str(document["log_id"]) for document in search.documents(EVERYTHING)]
        assert len(found) == len(set(found)) <= EVENTS
        assert kills < 20
    assert kills > 2, "it was done before it was killed"

    sent = [orjson.loads(stored.record.value)["log_id"] for stored in batch]
    with closing(sqlite3.connect(tmp_path / "logintel.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO document_terms (document_terms) VALUES ('integrity-check')")
        for table, column in (("log_entries", "id"), ("documents", "body ->> '$.log_id'")):
            found = [row[0] for row in connection.execute(f"SELECT {column} FROM {table}")]
            assert sorted(found) == sorted(sent)
    assert len(found) == EVENTS


def test_the_offset_of_an_unfinished_transaction_is_not_there(tmp_path: Path, records: Records) -> None:
    """What is in the file is in it with its offset: a reader between two steps never sees one without the other."""
    batch = records(500)

    async def main() -> list[tuple[int, int, int]]:
        await fill(tmp_path / "bus", batch)
        store = await Store.open(tmp_path / "logintel.sqlite")
        seen = []
        async with LocalBus(tmp_path / "bus", 2**30) as bus:
            collector = EmbeddedCollector(bus.consumer(0), Processor(now), Alerter((), (), (), now), store)
            while bus.lag().records:
                step = asyncio.create_task(collector.step(100))
                while not step.done():
                    with closing(sqlite3.connect(tmp_path / "logintel.sqlite")) as reader:
                        seen.append(
                            reader.execute(
                                "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM log_entries), "
                                "coalesce((SELECT position FROM bus_offsets), 0)"
                            ).fetchone()
                        )
                    await asyncio.sleep(0)
                bus.release(step.result().offset)
        await store.close()
        return seen

    seen = asyncio.run(main())
    assert all(documents == entries == offset for documents, entries, offset in seen)
    assert len(set(seen)) > 2
