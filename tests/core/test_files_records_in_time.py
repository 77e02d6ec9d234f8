"""Records that come in pieces, and stamps that say too little: as a file gives them over time."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from file_reader import Reader, append

from logintel.event import Event
from logintel.source import InputExhausted

START = "2026-11-22 10:00:00,123 ERROR [main] shop.Cart - no stock"
TRACE = [START, "java.lang.IllegalStateException: no stock", *(f"\tat shop.Cart.add(Cart.java:{n})" for n in range(12))]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def reader(log: Path) -> Reader:
    return Reader((str(log),), {"format": "auto"})


def test_complaint_22_the_last_event_is_not_stuck(log: Path, reader: Reader) -> None:
    """Nothing follows it in this file: it comes after a wait, or at once when the file is rotated and gone."""
    append(log, *TRACE)
    reader.follow(until=lambda: len(reader.taken) == 1)
    assert reader.texts == ["\n".join(TRACE)]


def test_complaint_22_records_of_two_files_are_not_mixed(tmp_path: Path, reader: Reader) -> None:
    reader.paths = (str(tmp_path / "*.log"),)
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    append(a, *TRACE[:5])
    append(b, "2026-11-22 10:00:01,000 WARN [main] shop.Pay - slow", "\tat shop.Pay.pay(Pay.java:3)")

    def go_on() -> None:
        append(a, *TRACE[5:])
        append(b, "2026-11-22 10:00:02,000 INFO [main] shop.Pay - paid")

    reader.interrupted(lambda batch: not batch.events, go_on, until=lambda: len(reader.taken) == 3)
    assert "\n".join(TRACE) in reader.texts
    assert all(text.count("ERROR") + text.count("WARN") + text.count("INFO") == 1 for text in reader.texts)


async def events_of(reader: Reader) -> list[Event]:
    """All events of one run that ends."""
    found: list[Event] = []
    async with aclosing(reader.input(once=True).batches({})) as batches:
        try:
            async for batch in batches:
                found += batch.events
        except InputExhausted:
            pass
    return found


def test_complaint_23_a_stamp_without_a_year_is_of_the_time_when_the_file_was_written(
    log: Path, reader: Reader
) -> None:
    append(log, "Dec 31 23:59:58 host app: the old year", "Jan  1 00:00:03 host app: the new year")
    written = datetime(2021, 1, 1, 0, 0, 5, tzinfo=UTC).timestamp()
    os.utime(log, (written, written))
    stamps = [event.timestamp for event in asyncio.run(events_of(reader))]
    assert stamps == ["2020-12-31T23:59:58.000000Z", "2021-01-01T00:00:03.000000Z"]


def test_complaint_15_a_backlog_takes_no_more_memory_than_a_few_blocks(log: Path, reader: Reader) -> None:
    reader.settings["format"] = "plain"
    with log.open("wb") as out:
        for _ in range(24):
            out.write((b"a line of an outage that lasted long" * 10 + b"\n") * 2_800)
    assert log.stat().st_size > 24_000_000
    events = 0

    async def run() -> None:
        nonlocal events
        async with aclosing(reader.input(once=True).batches({})) as batches:
            try:
                async for batch in batches:
                    events += len(batch.events)
            except InputExhausted:
                pass

    tracemalloc.start()
    try:
        asyncio.run(run())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert events == 24 * 2_800
    assert peak < 12 * 1024 * 1024
