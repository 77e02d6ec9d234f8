"""What idle files cost: CPU seconds over wall seconds of the file input that follows them, and how soon a line is seen.

`python bench/idle_files.py [--files 10000] [--seconds 60] [--polling]`. The files lie in directories of 100. First they
are all read; what is measured begins when nothing is open any more.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from logintel.hooks import load_plugins
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.inputs.files.watching import Watcher
from logintel.source import SourceContext

PER_DIRECTORY = 100


def make(root: Path, files: int) -> list[Path]:
    """Logs of ten lines each."""
    paths = [root / f"{n // PER_DIRECTORY:03}" / f"app-{n}.log" for n in range(files)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"2026-11-22 10:00:00 INFO line {n} of {path.name}\n" for n in range(10)))
    return paths


class Follower:
    """Takes what the input gives, and counts it."""

    def __init__(self, reading: FileInput) -> None:
        self._reading = reading
        self.events = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        async with aclosing(self._reading.batches({})) as batches:
            async for batch in batches:
                self.events += len(batch.events)

    async def until(self, events: int) -> float:
        """Seconds until so many events came in all."""
        started = time.monotonic()
        while self.events < events:  # noqa: ASYNC110 - a look now and then costs less than an event for each batch
            await asyncio.sleep(0.05)
        return time.monotonic() - started


async def measure(root: Path, files: int, seconds: float) -> None:
    """Print the numbers."""
    paths = make(root, files)
    config = FileInputConfig(name="idle", type="application", paths=(str(root / "*" / "*.log"),))
    reading = FileInput(config, SourceContext(formats=load_plugins().formats))
    follower = Follower(reading)
    cpu = time.process_time()
    following = asyncio.ensure_future(follower.run())
    wall = await follower.until(10 * files)
    print(f"taken in: {time.process_time() - cpu:.1f} CPU s, {wall:.1f} s")
    await asyncio.sleep(1.5 * reading.pace.quiet)
    started, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - started)
    print(f"idle: {100 * share:.2f} % of a core for {files} files")
    for path in (paths[0], paths[files // 2], paths[-1]):
        with path.open("a") as out:
            out.write("2026-11-22 10:00:00 INFO one more\n")
        print(f"one more line seen after {await follower.until(follower.events + 1):.2f} s")
    following.cancel()


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--polling", action="store_true", help="without inotify")
    args = parser.parse_args()
    if args.polling:
        setattr(Watcher, "start", lambda: None)  # noqa: B010 - a type checker forbids it, and rightly elsewhere
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(Path(scratch), args.files, args.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
