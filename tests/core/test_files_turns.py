"""Thousands of files: none waits long for another, idle ones cost nothing, and few are open."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Self

import pytest
from file_reader import FORMATS, Reader, append
from structlog.testing import capture_logs

from logintel.inputs.files import FileInput, FileInputConfig, watching
from logintel.inputs.files.pace import Pace
from logintel.inputs.files.watching import Watcher
from logintel.source import SourceContext

#: Looking for files as good as never: only what the kernel says leads to a look.
DEAF = Pace(poll=0.005, scan=3600, settle=0.05, quiet=0.1, share=1e-9)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_complaint_17_a_thousand_growing_files_are_read_fairly(tmp_path: Path) -> None:
    """Each file grows as soon as it was read, so that there is always more: the first ones must not be all that is read.

    No file may fall behind another by more than a few batches, and few are open at a time.
    """
    files, rounds = 1000, 3
    for n in range(files):
        append(tmp_path / f"{n}.log", "line")
    reader = Reader((str(tmp_path / "*.log"),))
    taken: Counter[str] = Counter()
    worst = most_open = 0

    async def run() -> None:
        nonlocal worst, most_open
        async with asyncio.timeout(300), aclosing(reader.input(once=False).batches({})) as batches:
            async for batch in batches:
                if not batch.events:
                    continue
                assert batch.metadata is not None
                path = str(batch.metadata["log_file"])
                taken[path] += 1
                append(Path(path), "line")
                if len(taken) == files:
                    least = min(taken.values())
                    worst = max(worst, max(taken.values()) - least)
                    if least >= rounds:
                        return
                elif taken.total() % 100 == 0:
                    most_open = max(most_open, open_files())
                    assert max(taken.values()) <= rounds, "some are read again and again, others not at all"

    asyncio.run(run())
    assert worst <= 2
    assert most_open <= 300


def test_a_line_that_is_written_while_its_file_is_being_closed_is_not_overlooked(tmp_path: Path) -> None:
    """With more files than are held open each is closed behind its turn; what comes at that moment is new."""
    for n in range(300):
        append(tmp_path / f"{n:03}.log", "first")
    reader = Reader((str(tmp_path / "*.log"),))

    async def run() -> None:
        async with asyncio.timeout(120), aclosing(reader.input(once=False).batches({})) as batches:
            async for batch in batches:
                reader.take(batch)
                if any(event.raw == "first" for event in batch.events):
                    assert batch.metadata is not None
                    append(Path(str(batch.metadata["log_file"])), "second")
                if len(reader.taken) == 600:
                    return

    asyncio.run(run())
    assert Counter(reader.texts) == {"first": 300, "second": 300}


def test_a_large_file_does_not_hold_up_small_ones(tmp_path: Path) -> None:
    (tmp_path / "a-large.log").write_bytes(b"a line of the large file, as long as usual\n" * 50_000)
    for n in range(20):
        append(tmp_path / f"small-{n}.log", "small")
    reader = Reader((str(tmp_path / "*.log"),))
    reader.once()
    last_small = max(place for place, text in enumerate(reader.texts) if text == "small")
    assert last_small < 30_000
    assert len(reader.texts) == 50_020


class Following:
    """Files followed at a pace of the test's own."""

    def __init__(self, path: Path, pace: Pace) -> None:
        config = FileInputConfig(name="t", type="t", paths=(str(path / "**" / "*.log"),), format="plain")
        self.input = FileInput(config, SourceContext(formats=FORMATS), pace)
        self.texts: list[str] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        async with aclosing(self.input.batches({})) as batches:
            async for batch in batches:
                self.texts += [event.raw for event in batch.events]

    async def sees(self, *texts: str) -> None:
        async with asyncio.timeout(60):
            while not {*texts} <= {*self.texts}:
                await asyncio.sleep(0.01)


def test_complaint_17_what_the_kernel_says_is_enough_to_find_every_change(tmp_path: Path) -> None:
    """No regular look happens: lines behind a closed file, new files, rotated ones, and new directories are seen."""
    append(tmp_path / "app.log", "one")
    (tmp_path / "empty.log").touch()

    async def run() -> None:
        async with Following(tmp_path, DEAF) as following:
            await following.sees("one")
            await asyncio.sleep(0.3)  # longer than `quiet`: the file is closed, or it does not matter
            append(tmp_path / "app.log", "two")
            await following.sees("two")
            append(tmp_path / "empty.log", "not empty")
            append(tmp_path / "new.log", "new")
            await following.sees("not empty", "new")
            (tmp_path / "app.log").rename(tmp_path / "app.log.1")
            append(tmp_path / "app.log", "after the rotation")
            await following.sees("after the rotation")
            (tmp_path / "sub").mkdir()
            await asyncio.sleep(0.3)
            append(tmp_path / "sub" / "deep.log", "deep")
            append(tmp_path / "sub.log", "beside it")
            await following.sees("deep", "beside it")
            assert sorted(following.texts) == sorted({*following.texts})

    asyncio.run(run())


@pytest.fixture
def no_inotify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watcher, "start", classmethod(lambda _: None))


@pytest.mark.usefixtures("no_inotify")
def test_without_inotify_changes_are_found_by_looking(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one")

    async def run() -> None:
        pace = Pace(poll=0.005, scan=0.01, settle=0.05, quiet=0.05)
        async with Following(tmp_path, pace) as following:
            await following.sees("one")
            append(tmp_path / "app.log", "two")
            append(tmp_path / "new.log", "new")
            await following.sees("two", "new")

    asyncio.run(run())


def test_directories_over_the_limit_are_looked_at_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_WATCHES", 2)
    for n in range(5):
        (tmp_path / str(n)).mkdir()
        append(tmp_path / str(n) / "app.log", f"one {n}")

    async def run() -> None:
        pace = Pace(poll=0.005, scan=0.01, settle=0.05, quiet=0.05)
        async with Following(tmp_path, pace) as following:
            await following.sees(*(f"one {n}" for n in range(5)))
            for n in range(5):
                append(tmp_path / str(n) / "app.log", f"two {n}")
            await following.sees(*(f"two {n}" for n in range(5)))

    with capture_logs() as logs:
        asyncio.run(run())
    (said,) = [entry for entry in logs if entry["event"] == "inotify_exhausted"]
    assert "fs.inotify.max_user_watches" in said["remedy"]


@pytest.fixture
def idle_files(tmp_path: Path) -> Path:
    for n in range(1000):
        path = tmp_path / f"{n // 100}" / f"{n}.log"
        path.parent.mkdir(exist_ok=True)
        append(path, f"line of {n}")
    return tmp_path


def test_complaint_17_idle_files_are_closed_and_cost_next_to_nothing(idle_files: Path) -> None:
    """The cost of looking is bounded as a share of a core, however many files there are."""

    async def run() -> None:
        before = open_files()
        pace = Pace(quiet=0.1, settle=0.1)
        async with Following(idle_files, pace) as following:
            await following.sees(*(f"line of {n}" for n in range(1000)))
            async with asyncio.timeout(60):
                while open_files() > before + 10:
                    await asyncio.sleep(0.05)
            wall, cpu = time.monotonic(), time.process_time()
            await asyncio.sleep(3)
            cost = (time.process_time() - cpu) / (time.monotonic() - wall)
            assert cost < 0.05
            append(idle_files / "7" / "777.log", "it was not forgotten")
            await following.sees("it was not forgotten")

    asyncio.run(run())
