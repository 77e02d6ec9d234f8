"""Whatever happens to the bytes of a segment log, every record whose own bytes are whole is read: in order, once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.bus.segment import HEADER_BYTES, RECORD_BYTES, Entry, decode, encode, parse_name
from logintel.bus.segment_log import SegmentLog

MIB = 1024 * 1024
Change = Callable[[bytearray], None]


@cache
def whole_log() -> tuple[dict[str, bytes], dict[int, tuple[str, bytes, bytes]]]:
    """(files, records): number → (file, encoded bytes, payload). Payloads hold records of other segments."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        asyncio.run(_write(directory))
        files = {path.name: path.read_bytes() for path in sorted(directory.glob("*.seg"))}
    records = {}
    for file, data in files.items():
        number, place = int(file[:20]), HEADER_BYTES
        while place < len(data):
            end = place + RECORD_BYTES + int.from_bytes(data[place + 12 : place + 16], "big")
            records[number] = (file, data[place:end], data[place + RECORD_BYTES : end])
            number, place = number + 1, end
    assert list(records) == list(range(1, 41))
    assert len(files) > 4
    return files, records


async def _write(directory: Path) -> None:
    log = SegmentLog(directory, 100 * MIB, segment_bytes=400)
    for number in range(1, 41, 4):
        earlier = log.segments[0].path.read_bytes() if len(log.segments) > 1 else b""
        alien = encode([b"never to be read"] * 2, number + 1, 12345)
        await log.append([b"", b"%d" % number * 30, earlier[-150:], b"x" + alien + b"y"]).durable
    await log.close()


async def read_all(log: SegmentLog) -> list[Entry]:
    reader = log.reader(0)
    entries: list[Entry] = []
    async with asyncio.timeout(10):
        while log.segments:
            chunk = await reader.read(7)
            entries += chunk.entries
            if chunk.ended and chunk.segment is log.segments[-1]:
                break
    reader.close()
    return entries


places = st.floats(0, 1, exclude_max=True)
lengths = st.integers(1, 400)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One thing that happens to a file."""
    kind = draw(st.sampled_from(["flip", "cut", "truncate", "zero", "insert", "alien"]))
    where, length = draw(places), draw(lengths)
    mask = draw(st.integers(1, 255))
    noise = draw(st.binary(min_size=1, max_size=60))

    def change(data: bytearray) -> None:
        start = int(where * len(data))
        stop = min(len(data), start + length)
        match kind:
            case "flip" if data:
                data[start] ^= mask
            case "cut":
                del data[start:stop]
            case "truncate":
                del data[start:]
            case "zero":
                data[start:stop] = bytes(stop - start)
            case "insert":
                data[start:start] = noise
            case "alien":
                data[start:start] = encode([noise] * 3, mask, length)

    return change


damages = st.lists(st.tuples(st.integers(0, 100), changes()), max_size=6)


@settings(max_examples=60, deadline=None)
@given(damages, st.sets(st.integers(0, 100), max_size=2))
def test_every_whole_record_is_read_and_the_lost_ones_are_counted(
    damage: list[tuple[int, Change]], missing: set[int]
) -> None:
    files, records = whole_log()
    changed = {name: bytearray(data) for name, data in files.items()}
    names = list(changed)
    for which, change in damage:
        change(changed[names[which % len(names)]])
    for which in missing:
        changed.pop(names[which % len(names)], None)
    whole = [
        (number, payload)
        for number, (name, encoded, payload) in records.items()
        if name in changed and encoded in changed[name]
    ]
    highest = whole[-1][0] if whole else 0

    async def run(directory: Path) -> None:
        log = SegmentLog(directory, 100 * MIB)
        assert await read_all(log) == whole
        assert log.damage.records == highest - len(whole), "the gaps in the numbers are the losses"
        if all(name in changed and changed[name] == data for name, data in files.items()):
            assert log.damage.places == 0
        appended = log.append([b"new"])
        assert appended.first > highest
        await appended.durable
        await log.close()
        log = SegmentLog(directory, 100 * MIB)
        assert await read_all(log) == [*whole, (appended.first, b"new")]
        await log.close()

    with tempfile.TemporaryDirectory() as name:
        for file, data in changed.items():
            (Path(name) / file).write_bytes(data)
        asyncio.run(run(Path(name)))


def test_each_flipped_byte_costs_at_most_its_own_record() -> None:
    files, records = whole_log()
    name = list(files)[1]
    here = {number: record for number, record in records.items() if record[0] == name}
    segment = parse_name(Path(name))
    assert segment is not None
    for place in range(HEADER_BYTES, len(files[name])):
        data = bytearray(files[name])
        data[place] ^= 0x40
        found = decode(bytes(data[HEADER_BYTES:]), segment.seed, segment.base - 1, final=True)
        expected = [(number, payload) for number, (_, encoded, payload) in here.items() if encoded in data]
        assert found.entries == expected
        assert len(expected) == len(here) - 1
        assert found.skipped == len(next(r for n, r in here.items() if n not in dict(expected))[1])


def test_a_repeated_range_is_read_once() -> None:
    first, second = encode([b"1", b"2", b"3"], 1, 99), encode([b"4", b"5"], 4, 99)
    found = decode(first + first + second + first[5:] + second, 99, 0, final=True)
    assert found.entries == [(1, b"1"), (2, b"2"), (3, b"3"), (4, b"4"), (5, b"5")]
    assert found.skipped == 2 * len(first) - 5 + len(second)


@given(st.lists(st.binary(max_size=300), max_size=30), st.lists(st.integers(1, 500), min_size=1))
def test_records_are_the_same_however_the_bytes_are_cut_into_blocks(payloads: list[bytes], sizes: list[int]) -> None:
    got: list[Entry] = []
    data, rest, turn = encode(payloads, 7, 99), b"", 0
    while data:
        size = sizes[turn % len(sizes)]
        turn += 1
        rest, data = rest + data[:size], data[size:]
        entries, used, gaps = decode(rest, 99, got[-1][0] if got else 6, final=False)
        assert gaps == []
        got += entries
        rest = rest[used:]
    assert rest == b""
    assert got == list(enumerate(payloads, 7))


@pytest.mark.parametrize("filler", [b"\xf5\xc1\xfe\xff", b"\xf5", b"\0", b"\xf5\xc1\xfe\xff" + b"\0\0\0\0" * 4 + b"\1"])
def test_looking_for_the_next_record_is_linear(filler: bytes) -> None:
    """A megabyte of what looks like the start of a record: a quadratic search would take minutes."""
    data = (filler * (MIB // len(filler) + 1))[:MIB]
    found = decode(data + encode([b"behind"], 5, 1), 1, 0, final=True)
    assert found.entries == [(5, b"behind")]
    assert found.skipped == MIB


def test_what_is_no_segment_or_cannot_be_read_does_not_stop_the_start(tmp_path: Path) -> None:
    files, records = whole_log()
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / "notes.txt").write_text("not ours")
    middle = list(files)[2]
    (tmp_path / middle).unlink()
    (tmp_path / middle).mkdir()  # reading it fails, as on a bad sector
    last_name = f"{41:020d}-{'ab' * 8}.seg"
    (tmp_path / last_name).mkdir()

    async def run() -> None:
        log = SegmentLog(tmp_path, 100 * MIB)
        lost = [number for number, record in records.items() if record[0] == middle]
        assert [number for number, _ in await read_all(log)] == [n for n in records if n not in lost]
        assert log.damage.records == len(lost)
        assert log.append([b"new"]).first > 41
        await log.close()

    asyncio.run(run())
