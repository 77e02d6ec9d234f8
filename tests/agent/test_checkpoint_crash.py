"""The checkpoint, killed at each of its writes: what was promised is there, and nothing else is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import orjson
import pytest

from logintel_agent.checkpoint import Checkpoint
from logintel_agent.checkpoint_contents import VERSION

#: For each line `STEP FIRST` on its standard input it forks: the child saves counts of three streams, ten times from
#: FIRST on, and says each save that returned. It kills itself before (or, for a write, in the middle of) its STEPth
#: step: os.write, fsync, fdatasync, and the rename of a new file.
WRITER = """
import asyncio, os, signal, sys
from pathlib import Path
from logintel_agent import checkpoint as module
from logintel_agent.checkpoint import Checkpoint, Mark
path = Path(sys.argv[1])
module._COMPACT_BYTES, module._COMPACT_FACTOR = 800, 2
say, steps = lambda *words: print(*words, flush=True), 0

def deadly_at(deadly, function, torn=False):
    def call(*arguments):
        global steps
        steps += 1
        if steps == deadly:
            if torn:
                function(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        if function is rename:
            say("renaming", steps)
        return function(*arguments)
    return call

rename = Path.rename

async def save(first):
    checkpoint = Checkpoint(path, "machine")
    for n in range(first, first + 10):
        say("trying", n)
        for stream in "abc":
            checkpoint.record("shop", stream, Mark("ab" * 16, {"offset": n}, n, "t", "record"))
        await checkpoint.save()
        say("saved", n)

def child(deadly, first):
    os.fsync, os.fdatasync = deadly_at(deadly, os.fsync), deadly_at(deadly, os.fdatasync)
    os.write, Path.rename = deadly_at(deadly, os.write, torn=True), deadly_at(deadly, rename)
    asyncio.run(save(first))

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        child(*map(int, line.split()))
        os._exit(0)
    say("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


class Writer:
    """Writes a checkpoint in processes that are killed."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def killed_at(self, step: int, first: int) -> tuple[bool, dict[str, list[int]]]:
        """Whether it was killed, and what it said before."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{step} {first}\n")
        self._process.stdin.flush()
        said: dict[str, list[int]] = {"trying": [first - 1], "saved": [first - 1], "renaming": []}
        for line in self._process.stdout:
            word, number = line.split()
            if word == "ended":
                assert int(number) in (0, -signal.SIGKILL)
                return int(number) != 0, said
            said[word].append(int(number))
        raise AssertionError("the writer is gone")

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.close()


def found(path: Path) -> dict[str, int]:
    """The offsets that the next start finds."""
    checkpoint = Checkpoint(path, "machine")
    checkpoint.close()
    cursors = checkpoint.cursors("shop")
    assert all(isinstance(cursor, dict) for cursor in cursors.values())
    return {stream: int(str(cursor["offset"])) for stream, cursor in cursors.items() if isinstance(cursor, dict)}


def readable_lines(path: Path) -> list[dict[str, object]]:
    """What a person sees: whole lines, `crc32 json`; a torn one can only be the last."""
    lines = path.read_bytes().split(b"\n")
    entries = []
    for line in lines[:-1]:
        check, _, body = line.partition(b" ")
        if check == b"%08x" % crc32(body):
            entries.append(orjson.loads(body))
    assert len(entries) >= len(lines) - 2
    return entries


def test_killed_at_every_write_it_is_readable_and_neither_behind_nor_ahead(path: Path, writer: Writer) -> None:
    """Each step in turn is the deadly one, over one checkpoint that lives through all the kills."""
    first, step, killed = 0, 1, True
    while killed:
        killed, said = writer.killed_at(step, first)
        if path.exists():
            assert readable_lines(path)[0]["v"] == VERSION
        offsets = found(path)
        promised, tried = said["saved"][-1], said["trying"][-1]
        assert len(offsets) == 3 or promised < 0
        for offset in offsets.values():
            assert promised <= offset <= tried, "behind what was promised, or ahead of all that was ever tried"
        first, step = max(offsets.values(), default=-1) + 1, step + 1
    assert step > 20
    assert len(said["renaming"]) > 1, "it was never made smaller, so that was not tested"


@pytest.mark.parametrize("left", [b"", b"00000000 {}\n", b"torn"])
def test_a_new_file_that_a_kill_left_half_written_is_no_checkpoint(path: Path, writer: Writer, left: bytes) -> None:
    assert not writer.killed_at(10**6, 0)[0]
    path.with_suffix(".new").write_bytes(left)
    assert found(path) == {"a": 9, "b": 9, "c": 9}
