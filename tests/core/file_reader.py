"""A reader for the tests of the file input: it takes batches as the agent does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from logintel.batch import Batch, Cursor
from logintel.hooks import load_plugins
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.inputs.files.pace import Pace
from logintel.source import InputExhausted, SourceContext

FORMATS = load_plugins().formats
FAST = Pace(poll=0.005, scan=0.01, settle=0.05, quiet=0.2, copying=0.5)


@dataclass
class Reader:
    """Reads as the agent does: keeps each stream's cursor behind the batches it took. No run may leave a file open."""

    paths: tuple[str, ...]
    settings: dict[str, object] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    taken: list[tuple[str, tuple[int, int], str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    unread_bytes: int = 0
    announced: list[tuple[str, Cursor]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [text for _, _, text in self.taken]

    @property
    def streams(self) -> list[str]:
        """The streams that gave events, in order."""
        return list(dict.fromkeys(stream for stream, _, _ in self.taken))

    def input(self, *, once: bool) -> FileInput:
        """A new one, as after a restart."""
        config = FileInputConfig(
            name="t", type="t", paths=self.paths, timezone="UTC", **{"format": "plain", **self.settings}
        )
        context = SourceContext(once=once, formats=FORMATS, report=self.problems.append, notice=self.notices.append)
        return FileInput(config, context, FAST)

    def take(self, batch: Batch) -> None:
        """Keep a batch, and its cursor. What has no events was announced: it is on disk before more is sent."""
        spans = batch.spans or ()
        if not batch.events:
            self.announced.append((batch.stream, batch.cursor))
        self.taken += [(batch.stream, span, e.raw) for span, e in zip(spans, batch.events, strict=True)]
        if batch.ended:
            self.cursors.pop(batch.stream, None)
        else:
            self.cursors[batch.stream] = batch.cursor

    def once(self) -> list[str]:
        """One run that ends; the texts it gave."""
        before = len(self.taken)
        reading = self.input(once=True)

        async def run() -> None:
            async with aclosing(reading.batches(dict(self.cursors))) as batches:
                try:
                    async for batch in batches:
                        self.take(batch)
                except InputExhausted:
                    pass

        self._run(run())
        self.unread_bytes += reading.unread_bytes
        return self.texts[before:]

    def follow(self, *steps: Callable[[], object], until: Callable[[], bool]) -> None:
        """Follow the files while the steps happen one after the other, until the condition holds."""

        reading = self.input(once=False)

        async def pull() -> None:
            async with aclosing(reading.batches(dict(self.cursors))) as batches:
                async for batch in batches:
                    self.take(batch)

        async def run() -> None:
            pulling = asyncio.create_task(pull())
            try:
                async with asyncio.timeout(60):
                    for step in steps:
                        await asyncio.sleep(0.08)
                        step()
                    while not until():
                        await asyncio.sleep(0.01)
            finally:
                pulling.cancel()

        self._run(run())
        self.unread_bytes += reading.unread_bytes

    def interrupted(self, when: Callable[[Batch], bool], act: Callable[[], object], until: Callable[[], bool]) -> None:
        """Follow the files, one batch at a time; `act` once, right behind the first batch of which `when` holds."""
        reading = self.input(once=False)

        async def run() -> None:
            acted = False
            async with asyncio.timeout(60), aclosing(reading.batches(dict(self.cursors))) as batches:
                async for batch in batches:
                    self.take(batch)
                    if not acted and when(batch):
                        act()
                        acted = True
                    if until():
                        return

        self._run(run())
        self.unread_bytes += reading.unread_bytes

    def _run(self, running: Coroutine[None, None, None]) -> None:
        before = len(os.listdir("/proc/self/fd"))
        asyncio.run(running)
        assert len(os.listdir("/proc/self/fd")) <= before


def append(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a", encoding="utf-8") as out:
        out.write("\n".join(lines) + end)


def numbers(first: int, last: int) -> list[str]:
    return [f"line {n} of the log" for n in range(first, last)]
