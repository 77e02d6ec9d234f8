"""The segment log as its users see it: order, durability, bounds, restarts."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import pytest

from logintel.batch import Full
from logintel.bus.segment import MAX_PAYLOAD, Entry
from logintel.bus.segment_log import LogFull, SegmentLog
from logintel.bus.segment_reader import SegmentReader
from logintel.locking import DirectoryLocked

MIB = 1024 * 1024


async def take(reader: SegmentReader, count: int) -> list[Entry]:
    entries: list[Entry] = []
    async with asyncio.timeout(10):
        while len(entries) < count:
            entries += (await reader.read(count - len(entries))).entries
    return entries


def numbered(first: int, count: int, size: int = 100) -> list[bytes]:
    return [str(number).encode().ljust(size, b".") for number in range(first, first + count)]


def test_reads_back_what_was_appended_across_segments_and_restarts(tmp_path: Path) -> None:
    async def run() -> None:
        for start in (1, 1001, 2001):
            log = SegmentLog(tmp_path, 100 * MIB, segment_bytes=20_000)
            for first in range(start, start + 1000, 100):
                appended = log.append(numbered(first, 100))
                assert appended.first == first
                await appended.durable
            await log.close()
        log = SegmentLog(tmp_path, 100 * MIB)
        assert len(log.segments) > 10
        assert await take(log.reader(0), 3000) == list(enumerate(numbered(1, 3000), 1))
        assert await take(log.reader(1234), 5) == list(enumerate(numbered(1235, 5), 1235))
        assert (log.damage.places, log.damage.bytes, log.damage.records) == (0, 0, 0)
        await log.close()

    asyncio.run(run())


def test_records_longer_than_a_block_and_empty_ones(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 1000 * MIB)
        payloads = [b"", b"a" * 3 * MIB, b"", b"b" * MAX_PAYLOAD, b"c"]
        await log.append(payloads).durable
        with pytest.raises(ValueError, match="over the limit"):
            log.append([b"fits", bytes(MAX_PAYLOAD + 1)])
        assert await take(log.reader(0), 5) == list(enumerate(payloads, 1))
        assert log.last == 5
        await log.close()

    asyncio.run(run())


def test_reader_sees_only_what_is_on_disk_and_follows_the_tail(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        reader = log.reader(0)
        reading = asyncio.ensure_future(take(reader, 3))
        await asyncio.sleep(0)
        first = log.append([b"1", b"2"])
        assert reader.unread() == 0
        await first.durable
        log.append([b"3"])
        assert await reading == [(1, b"1"), (2, b"2"), (3, b"3")]
        await log.close()

    asyncio.run(run())


def test_a_cancelled_read_loses_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        reader = log.reader(0)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await reader.read(1)
        await log.append([b"1"]).durable
        assert await take(reader, 1) == [(1, b"1")]
        await log.close()

    asyncio.run(run())


def test_many_appends_share_few_syncs_and_a_cancelled_waiter_harms_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        waiting = [log.append([str(number).encode()]).durable for number in range(1000)]
        waiting[3].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(result is None for result in results) == 999
        assert 1 <= log.syncs <= 3
        assert len(await take(log.reader(0), 1000)) == 1000
        await log.close()

    asyncio.run(run())


def test_full_log_refuses_and_takes_again_when_segments_are_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100_000)
        taken = 0
        while log.held_bytes < 100_000:
            await log.append(numbered(taken + 1, 10)).durable
            taken += 10
        with pytest.raises(Full):
            log.append(numbered(taken + 1, 10))
        assert 100_000 <= log.held_bytes < 103_000
        room = asyncio.ensure_future(log.room())
        await asyncio.sleep(0)
        log.delete_below(taken // 2)
        async with asyncio.timeout(60):
            await room
        assert log.append(numbered(taken + 1, 1)).first == taken + 1
        kept = await take(log.reader(taken // 2 - 1), taken // 2 + 2)
        assert [number for number, _ in kept] == list(range(taken // 2, taken + 2))
        await log.close()

    asyncio.run(run())


def test_numbers_go_on_when_everything_was_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        await log.append(numbered(1, 10)).durable
        await log.close()
        log = SegmentLog(tmp_path, 100 * MIB)
        log.delete_below(11)
        assert log.held_bytes < 100
        await log.close()
        for expected in (11, 12):
            log = SegmentLog(tmp_path, 100 * MIB)
            assert log.append([b"x"]).first == expected
            await log.close()

    asyncio.run(run())


def test_numbers_stay_above_what_a_reader_has_had_even_when_the_directory_is_lost(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path / "new", 100 * MIB)
        reader = log.reader(5000)
        assert log.append([b"x"]).first == 5001
        assert await take(reader, 1) == [(5001, b"x")]
        assert log.damage.records == 0
        await log.close()

    asyncio.run(run())


def test_a_disk_without_room_takes_nothing_and_later_everything(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel take part of the block and then refuse, as a full disk does."""
    block = numbered(2, 1000, 5000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        await log.append([b"before"]).durable
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, hard))
            for _ in range(3):
                with pytest.raises(LogFull, match="too large") as caught:
                    log.append(block)
                assert caught.value.path == tmp_path
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await log.append(block).durable
        assert await take(log.reader(0), 1001) == [(1, b"before"), *enumerate(block, 2)]
        assert log.damage.places == 0
        await log.close()

    asyncio.run(run())


def test_a_failed_sync_is_told_to_every_waiter_and_the_log_goes_on_in_a_new_segment(tmp_path: Path) -> None:
    """The file is cut by someone else below what a sync is to cover: the sync refuses, as after an I/O error."""

    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        await log.append([b"kept"]).durable
        waiting = [log.append(numbered(1, 10)).durable for _ in range(5)]
        with log.segments[0].path.open("r+b") as file:
            file.truncate(log.segments[0].durable)
        syncs = log.syncs
        while log.syncs == syncs:
            await asyncio.sleep(0)
        # The sync is under way; who comes now stands behind what it will refuse.
        waiting.append(log.append(numbered(1, 10)).durable)
        async with asyncio.timeout(10):
            results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [LogFull] * 6
        again = log.append([b"again"])
        await again.durable
        assert again.first > 61
        assert len(log.segments) == 2
        expected = [(1, b"kept"), (again.first, b"again")]
        assert await take(log.reader(0), 2) == expected
        await log.close()
        log = SegmentLog(tmp_path, 100 * MIB)
        assert await take(log.reader(0), 2) == expected
        assert log.damage.records == 0, "numbers that were refused are not losses"
        await log.close()

    asyncio.run(run())


def test_a_second_opener_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        with pytest.raises(DirectoryLocked, match=f"{tmp_path} is in use by process {os.getpid()}"):
            SegmentLog(tmp_path, 100 * MIB)
        await log.close()
        await SegmentLog(tmp_path, 100 * MIB).close()

    asyncio.run(run())
