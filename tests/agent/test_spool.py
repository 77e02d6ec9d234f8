"""The spool: what was accepted is delivered, under a position that no other event ever has.

Complaints that users have of peers' disk buffers, answered here: 14, damage makes them stuck or crash for ever; 15, emptying
one takes more memory than the outage did; 21, they drop by default.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from logintel.batch import Batch, Cursor, Full
from logintel.event import Event, Json
from logintel_agent.spool import Spool
from logintel_agent.spool_event import decode, encode

MIB = 1024 * 1024


def events(first: int, count: int, size: int = 50) -> list[Event]:
    return [
        Event(f"line {n} " + "x" * size, "", "2026-01-02T03:04:05.000000Z", "INFO", metadata={"n": n})
        for n in range(first, first + count)
    ]


async def drain(spool: Spool, cursors: dict[str, Cursor], count: int, *, commit: bool) -> list[Batch]:
    """Read until `count` events came, and whatever is there without waiting behind them; keeps `cursors` as an agent does."""
    got: list[Batch] = []
    async with aclosing(spool.batches(dict(cursors))) as batches:
        while True:
            patience = 5 if sum(len(batch.events) for batch in got) < count else 0.1
            try:
                async with asyncio.timeout(patience):
                    batch = await anext(batches)
            except TimeoutError:
                return got
            got.append(batch)
            if commit and batch.ended:
                cursors.pop(batch.stream)
            elif commit:
                cursors[batch.stream] = batch.cursor
                await spool.committed(batch.stream, batch.cursor)


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def numbers(batches: list[Batch]) -> list[Json]:
    return [event.metadata["n"] for batch in batches for event in batch.events if isinstance(event, Event)]


def positions(batches: list[Batch]) -> list[tuple[str, tuple[int, int]]]:
    return [(batch.stream, span) for batch in batches for span in batch.spans or ()]


def test_what_was_not_delivered_comes_again_at_the_same_positions_and_what_was_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        cursors: dict[str, Cursor] = {}
        spool = Spool(tmp_path, 100 * MIB)
        await spool.accept(events(0, 1200))
        first = await drain(spool, cursors, 1200, commit=False)
        assert [event for batch in first for event in batch.events if isinstance(event, Event)] == events(0, 1200)
        assert positions(first) == [(first[0].stream, (n, n + 1)) for n in range(1200)]
        await spool.close()

        spool = Spool(tmp_path, 100 * MIB)
        await spool.accept(events(1200, 100))
        second = await drain(spool, cursors, 1300, commit=True)
        assert numbers(second) == list(range(1300))
        assert positions(second)[:1200] == positions(first)
        assert {stream for stream, _ in positions(second)[1200:]}.isdisjoint({first[0].stream})
        await spool.close()

        spool = Spool(tmp_path, 100 * MIB)
        assert numbers(await drain(spool, cursors, 0, commit=True)) == []
        await spool.close()

        spool = Spool(tmp_path, 100 * MIB)
        await drain(spool, cursors, 0, commit=True)
        assert spool.held_bytes < 100
        assert cursors == {}, "streams of old runs are ended, and forgotten"
        await spool.close()

    asyncio.run(run())


def test_complaint_14_a_stream_ends_only_after_its_segment_is_gone(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 8 * 10_000)
        for start in range(0, 400, 20):
            await spool.accept(events(start, 20))
        ended = 0
        cursors: dict[str, Cursor] = {}
        async with aclosing(spool.batches({})) as batches:
            while cursors.get("n", 0) != 400:
                async with asyncio.timeout(5):
                    batch = await anext(batches)
                if batch.ended:
                    ended += 1
                    assert batch.stream not in {path.stem[21:] for path in segments(tmp_path)}
                else:
                    cursors["n"] = batch.cursor
                    await spool.committed(batch.stream, batch.cursor)
        assert ended >= 3
        await spool.close()

    asyncio.run(run())


def test_a_full_spool_refuses_until_events_are_delivered(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 50_000)
        accepted = 0
        while spool.held_bytes < 50_000:
            await spool.accept(events(accepted, 10))
            accepted += 10
        with pytest.raises(Full, match=str(tmp_path)):
            await spool.accept(events(accepted, 10))
        assert 50_000 <= spool.held_bytes < 52_000
        assert numbers(await drain(spool, {}, accepted, commit=True)) == list(range(accepted))
        await spool.accept(events(accepted, 10))
        await spool.close()

    asyncio.run(run())


def test_complaint_21_only_who_asks_for_it_has_events_dropped_and_they_are_counted(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 50_000, drop_newest=True)
        accepted = 0
        while spool.held_bytes < 50_000:
            await spool.accept(events(accepted, 10))
            accepted += 10
        with capture_logs() as logs:
            for n in range(20):
                await spool.accept(events(accepted + n, 1))
        assert spool.dropped == {"spool_full": 20}
        assert [(log["event"], log["reason"], log["total"]) for log in logs] == [
            ("events_dropped", "spool_full", total) for total in (1, 2, 4, 8, 16)
        ]
        assert numbers(await drain(spool, {}, accepted, commit=True)) == list(range(accepted))
        await spool.accept(events(1000, 1))
        assert spool.dropped == {"spool_full": 20}
        await spool.close()

    asyncio.run(run())


def test_batches_end_behind_the_last_event_once_it_is_finished(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 100 * MIB)

        async def read() -> list[Batch]:
            return [batch async for batch in spool.batches({})]

        reading = asyncio.create_task(read())
        await spool.accept(events(0, 700))
        spool.finish()
        async with asyncio.timeout(60):
            assert numbers(await reading) == list(range(700))
        await spool.close()

    asyncio.run(run())


def test_complaint_15_draining_takes_no_more_memory_than_a_few_blocks(tmp_path: Path) -> None:
    size, count = 100_000, 1000  # 100 MB

    async def run() -> int:
        spool = Spool(tmp_path, 1000 * MIB)
        event = Event("x" * size)
        for _ in range(count // 50):
            await spool.accept([event] * 50)
        await spool.close()
        tracemalloc.start()
        try:
            spool = Spool(tmp_path, 1000 * MIB)
            delivered = 0
            async with aclosing(spool.batches({}, once=True)) as batches:
                async for batch in batches:
                    delivered += len(batch.events)
                    await spool.committed(batch.stream, batch.cursor)
            await spool.close()
            assert delivered == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert asyncio.run(run()) < 8 * MIB


def test_one_request_larger_than_the_spool_does_not_block_it_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 10_000)
        await spool.accept(events(0, 500))
        with pytest.raises(Full):
            await spool.accept(events(500, 1))
        assert len(numbers(await drain(spool, {}, 500, commit=True))) == 500
        await spool.accept(events(500, 1))
        await spool.close()

    asyncio.run(run())


def test_many_senders_share_few_syncs(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 100 * MIB)
        await asyncio.gather(*(spool.accept(events(n, 1)) for n in range(500)))
        assert 1 <= spool.syncs <= 3
        assert sorted(numbers(await drain(spool, {}, 500, commit=False)), key=str) == sorted(range(500), key=str)
        await spool.close()

    asyncio.run(run())


def test_complaint_14_a_damaged_spool_delivers_the_rest_and_counts_the_loss(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 100 * MIB)
        await spool.accept(events(0, 100))
        await spool.close()
        (file,) = segments(tmp_path)
        data = bytearray(file.read_bytes())
        place = data.index(b"line 42 ")
        data[place : place + 3] = b"LIN"
        file.write_bytes(data)
        spool = Spool(tmp_path, 100 * MIB)
        await spool.accept(events(100, 1))
        assert numbers(await drain(spool, {}, 100, commit=True)) == [n for n in range(101) if n != 42]
        assert (spool.damage.places, spool.damage.records) == (1, 1)
        await spool.close()

    asyncio.run(run())


def test_a_cursor_whose_segment_is_lost_is_ended(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 100 * MIB)
        async with aclosing(spool.batches({"0123456789abcdef": 17})) as batches:
            async with asyncio.timeout(5):
                batch = await anext(batches)
        assert (batch.stream, batch.cursor, batch.ended, list(batch.events)) == ("0123456789abcdef", 17, True, [])
        await spool.close()

    asyncio.run(run())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
any_text = st.text(st.characters(codec=None))


@example(Event("x", metadata={"large": -(2**63) - 1, "larger": 2**64}))
@given(
    st.builds(
        Event,
        raw=any_text,
        message=any_text,
        timestamp=st.none() | st.just("2024-02-03T04:05:06.000007Z"),
        level=st.sampled_from([None, "INFO", "FATAL"]),
        fields=st.dictionaries(st.sampled_from(["host", "thread"]), any_text),
        metadata=st.dictionaries(any_text, json_values, max_size=4),
        tags=st.lists(any_text, max_size=3),
        format=any_text,
    )
)
def test_an_event_comes_back_exactly(event: Event) -> None:
    assert decode(encode(event)) == event


def test_lone_surrogates_and_huge_integers_come_back() -> None:
    event = Event("\udcff", metadata={"n": 10**30, "\ud800": ["\ud800"]})
    assert decode(encode(event)) == event
    with pytest.raises(ValueError, match="expected form"):
        decode(b"\x07[]")


def test_an_event_that_states_no_time_has_that_of_its_arrival(tmp_path: Path) -> None:
    """And not that of the event before it, which another sender may have sent."""
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def run() -> list[Event]:
        spool = Spool(tmp_path / "spool", 1 << 20)
        await spool.accept([Event("old", timestamp="1999-01-01T00:00:00.000000Z"), Event("none")])
        found: list[Event] = []
        async for batch in spool.batches({}, once=True):
            found += batch.events
        await spool.close()
        return found

    old, none = asyncio.run(run())
    assert (old.timestamp, old.origin) == ("1999-01-01T00:00:00.000000Z", "record")
    assert none.timestamp is not None
    assert none.timestamp >= before
    assert none.origin == "received"
