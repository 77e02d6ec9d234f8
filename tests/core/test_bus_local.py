"""The local bus: both ends of log-ingestion in one process."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest

from logintel.bus import Consumer, Producer, Record, Stored
from logintel.bus.local import Lag, LocalBus
from logintel.identity import new_stream_id, seq_of

MIB = 1024 * 1024


def records(stream: bytes, first: int, count: int, size: int = 200) -> list[Record]:
    return [Record(b"%d " % n + b"x" * size, stream, seq_of(n)) for n in range(first, first + count)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def held_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in segments(directory))


async def take(consumer: Consumer, count: int) -> list[Stored]:
    stored: list[Stored] = []
    async with asyncio.timeout(10):
        while len(stored) < count:
            stored += await consumer.read(count - len(stored))
    return stored


def test_records_come_back_as_sent_and_go_on_behind_the_offset_after_a_restart(tmp_path: Path) -> None:
    stream = new_stream_id()
    sent = records(stream, 1, 1000)

    async def run() -> None:
        async with LocalBus(tmp_path, 100 * MIB) as bus:
            consumer: Consumer = bus.consumer(0)
            producer: Producer = bus.producer()
            for start in range(0, 1000, 100):
                durable = await producer.send(sent[start : start + 100])
            await durable
            assert bus.lag().records == 1000
            assert bus.lag().bytes > 200_000
            stored = await take(consumer, 1000)
            assert [record for _, record in stored] == sent
            assert [offset for offset, _ in stored] == list(range(1, 1001))
            assert bus.lag() == Lag(1000, 0)
            bus.release(600)
            assert bus.lag() == Lag(400, 0)
        async with LocalBus(tmp_path, 100 * MIB) as bus:
            consumer = bus.consumer(600)
            assert bus.lag().records == 400
            assert [record for _, record in await take(consumer, 400)] == sent[600:]
            bus.release(1000)
            assert bus.lag() == Lag(0, 0)
            assert bus.damage.places == 0

    asyncio.run(run())


def test_a_full_bus_makes_the_sender_wait_until_the_consumer_is_done(tmp_path: Path) -> None:
    stream = new_stream_id()

    async def run() -> None:
        async with LocalBus(tmp_path, 200_000) as bus:
            consumer, producer = bus.consumer(0), bus.producer()
            sent = 0

            async def keep_sending() -> None:
                nonlocal sent
                while sent < 5000:
                    await (await producer.send(records(stream, sent, 50)))
                    sent += 50

            sending = asyncio.ensure_future(keep_sending())
            await asyncio.sleep(0.5)
            held = held_bytes(tmp_path)
            assert 200_000 <= held < 230_000
            assert not sending.done()
            got: list[Stored] = []
            async with asyncio.timeout(20):
                while len(got) < 5000:
                    got += await consumer.read(100)
                    bus.release(got[-1].offset)
                await sending
            assert [record.seq for _, record in got] == [seq_of(number) for number in range(5000)]
            assert held_bytes(tmp_path) < 60_000

    asyncio.run(run())


def test_a_batch_larger_than_the_bus_still_passes(tmp_path: Path) -> None:
    stream = new_stream_id()

    async def run() -> None:
        async with LocalBus(tmp_path, 100_000) as bus:
            consumer, producer = bus.consumer(0), bus.producer()
            for first in range(0, 5000, 1000):
                async with asyncio.timeout(5):
                    await (await producer.send(records(stream, first, 1000)))
                    stored = await take(consumer, 1000)
                assert stored[-1].record.seq == seq_of(first + 999)
                bus.release(stored[-1].offset)

    asyncio.run(run())


def test_a_full_disk_is_waited_out_and_nothing_overtakes(tmp_path: Path) -> None:
    stream = new_stream_id()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> None:
        async with LocalBus(tmp_path, 1000 * MIB) as bus:
            consumer, producer = bus.consumer(0), bus.producer()
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, hard))
                sending = [asyncio.ensure_future(producer.send(records(stream, n, 1, MIB))) for n in range(5)]
                await asyncio.sleep(0.2)
                assert not all(task.done() for task in sending)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            async with asyncio.timeout(10):
                await asyncio.gather(*[await task for task in sending])
            assert [stored.record.seq for stored in await take(consumer, 5)] == [seq_of(n) for n in range(5)]
            assert bus.damage.places == 0

    asyncio.run(run())


def test_a_failed_sync_is_mended_by_the_bus_itself_in_order(tmp_path: Path) -> None:
    """The file is cut below what a sync is to cover, but not below what was promised; the sender never hears of it."""
    stream = new_stream_id()

    async def run() -> None:
        async with LocalBus(tmp_path, 100 * MIB) as bus:
            consumer, producer = bus.consumer(0), bus.producer()
            await (await producer.send(records(stream, 0, 10)))
            (file,) = segments(tmp_path)
            promised = file.stat().st_size
            pending = [await producer.send(records(stream, first, 10)) for first in range(10, 50, 10)]
            with file.open("r+b") as handle:
                handle.truncate(promised)
            async with asyncio.timeout(10):
                await asyncio.gather(*pending)
                pending.append(await producer.send(records(stream, 50, 10)))
                await pending[-1]
            stored = await take(consumer, 60)
            assert [record.seq for _, record in stored] == [seq_of(number) for number in range(60)]
            bus.release(stored[-1].offset)
            assert bus.lag() == Lag(0, 0)

    asyncio.run(run())


def test_new_records_are_never_hidden_by_an_old_offset_when_the_directory_is_lost(tmp_path: Path) -> None:
    async def run() -> None:
        async with LocalBus(tmp_path / "new", 100 * MIB) as bus:
            consumer = bus.consumer(70_000)
            await (await bus.producer().send(records(new_stream_id(), 1, 3)))
            assert [stored.offset for stored in await take(consumer, 3)] == [70_001, 70_002, 70_003]

    asyncio.run(run())


def test_a_record_without_identity_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with LocalBus(tmp_path, 100 * MIB) as bus:
            with pytest.raises(ValueError, match="16 bytes"):
                await bus.producer().send([Record(b"value", b"short", seq_of(1))])
            assert bus.lag().records == 0

    asyncio.run(run())
