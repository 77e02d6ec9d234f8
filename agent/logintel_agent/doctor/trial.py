"""The trial: a writer, the rule's rotation and this agent in a scratch directory, and what became of each line.

Four rotations, as they come on a host but faster: two while the agent runs (at once; then with time between the steps),
one while it is stopped, one after it was killed. What would be hours on a host is a moment here, so the agent looks at
its files more often in proportion.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from logintel.batch import Batch, Cursor
from logintel.formats import FormatRegistry
from logintel.hooks import Plugins
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.inputs.files.pace import Pace
from logintel.source import Source, SourceContext
from logintel_agent.agent import Agent
from logintel_agent.dead_letters import LETTERS, DeadLetters, DeadLettersSection
from logintel_agent.doctor.counting import Counting
from logintel_agent.doctor.rotation import Rotation
from logintel_agent.doctor.rule import Rule
from logintel_agent.doctor.scratch import Scratch
from logintel_agent.doctor.scripts import reopening
from logintel_agent.doctor.writer import Writer

#: The reader's own pace (inputs/files), ten to thirty times as fast.
PACE: Final = Pace(poll=0.02, scan=0.05, settle=0.1, quiet=1.0, copying=3.0)
#: Lines before a rotation, and after each of its steps.
BURST: Final = 40
BETWEEN: Final = 5
#: Seconds, and turns of the agent, without anything new after which nothing more is expected: longer than the reader
#: waits for more of a file that was deleted.
GRACE: Final = PACE.quiet + 0.5
TURNS: Final = 40
#: Seconds after which the reader decides about a file that may be a copy in the making, and more for a busy machine.
_COPIES_DECIDED: Final = PACE.copying + 1.0

ROTATIONS: Final = (
    "while the agent runs",
    "while the agent runs, slowly",
    "while the agent is stopped",
    "after the agent was killed",
)
_SLOWLY, _STOPPED = 1, 2


class Loss(NamedTuple):
    """Lines that did not arrive. `step` of the rotation that destroyed them, or `left` in a file that is not read;
    `where`: the host's name of the file that had them last (empty: none ever had); `rotation`: see ROTATIONS."""

    step: str
    where: str
    rotation: str
    lines: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial showed. `resent`: lines sent again under the same ids, which the collector drops."""

    written: int
    delivered: int
    repeated: int
    resent: int
    rotations: int
    losses: tuple[Loss, ...]
    files: tuple[str, ...]
    reports: tuple[str, ...]
    seconds: float

    @property
    def lost(self) -> int:
        """Lines that did not arrive."""
        return self.written - self.delivered


class _PacedSource(Source):
    """The user's source as far as it reads files, at the trial's pace."""

    type = "doctor"
    Config = FileInputConfig
    config: FileInputConfig

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        return FileInput(self.config, self.context, PACE).batches(cursors)


class _Seen(NamedTuple):
    """The last look that found a line: how many looks there had been, and in which file it was."""

    look: int
    where: str


@dataclass(slots=True)
class Trial:
    """`rule`: None where nothing rotates the log. `each_time`: see Writer."""

    path: str
    rule: Rule | None
    config: FileInputConfig
    formats: FormatRegistry
    scratch: Scratch
    each_time: bool = False
    bus: Counting = field(default_factory=Counting)
    reports: list[str] = field(default_factory=list)
    _writer: Writer = field(init=False)
    _looks: list[tuple[str, str]] = field(default_factory=list)
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _given_up: set[int] = field(default_factory=set)
    _rotated: int = 0

    async def run(self, now: datetime, seconds: float) -> Outcome:
        """The whole trial. Raises TimeoutError after `seconds`, Refused when the rule cannot be replayed."""
        started = time.monotonic()
        log = self.scratch.inside(self.path)
        log.parent.mkdir(parents=True)
        self._writer = Writer(log, self.config.encoding, self.each_time)
        rotation = Rotation(self.rule, log, self.scratch.root) if self.rule else None
        try:
            async with asyncio.timeout(seconds):
                await self._whole(rotation, now)
        finally:
            self._writer.close()
        return self._outcome(time.monotonic() - started)

    async def _whole(self, rotation: Rotation | None, now: datetime) -> None:
        dates = (now + number * rotation.rule.interval for number in range(len(ROTATIONS))) if rotation else iter(())
        async with self._agent():
            await self._rotate(rotation, dates, 0)
            await self._caught_up()
            await self._rotate(rotation, dates, 1)
            await self._caught_up()
        await self._rotate(rotation, dates, 2)
        async with self._agent(kill=True):
            await self._caught_up()
            self._write(BURST)
            await self._caught_up()
        await self._rotate(rotation, dates, 3)
        self._given_up.clear()
        async with self._agent():
            await self._caught_up()
            if self.rule and self.rule.copy and not self.rule.copytruncate:
                await asyncio.sleep(_COPIES_DECIDED)

    @asynccontextmanager
    async def _agent(self, *, kill: bool = False) -> AsyncIterator[None]:
        """This agent, at work inside the block; behind it stopped, or killed with nothing saved."""
        config = self.scratch.moved(self.config, self.path)
        context = SourceContext(formats=self.formats, own=str(self.scratch.data), report=self.reports.append)
        plugins = Plugins({_PacedSource.type: _PacedSource}, self.formats)
        letters = DeadLetters(self.scratch.data / "worker-0" / LETTERS, DeadLettersSection(), str)
        agent = Agent(self.scratch.data, "doctor", [config], plugins, self.bus, context, letters)
        stop = asyncio.Event()
        running = asyncio.create_task(agent.run(stop))
        try:
            yield
        finally:
            if kill:
                running.cancel()
            stop.set()
            with suppress(asyncio.CancelledError):
                await running

    async def _rotate(self, rotation: Rotation | None, dates: Iterator[datetime], number: int) -> None:
        """Write, rotate, and write after each step; the second time with the agent at work between the steps."""
        self._write(BURST)
        if number < _STOPPED:
            await self._caught_up()
            self._write(BETWEEN)
        if rotation is None:
            return
        for step in rotation.steps(next(dates)):
            if step == "tell the writer":
                self._tell(rotation.rule)
            self._look(step, ROTATIONS[number])
            self._write(BETWEEN)
            if number == _SLOWLY:
                await self._caught_up()
            self._rotated = number + 1
        self._write(BURST)

    def _tell(self, rule: Rule) -> None:
        if reopening(rule):
            self._writer.reopen()

    def _write(self, count: int) -> None:
        self._writer.write(count)
        self._look("", "")

    def _look(self, step: str, rotation: str) -> None:
        """Note which file holds which line now; `step` is what was done since the look before."""
        self._looks.append((step, rotation))
        look = len(self._looks) - 1
        for number, where in self.scratch.lines(self.config.encoding):
            self._seen[number] = _Seen(look, where)
        if step == "truncate":  # whoever has not read them by now never will
            self._given_up |= {number for number in self._awaited() if self._seen[number].look < look}

    async def _caught_up(self) -> None:
        """Until no line is awaited, or the agent has looked often enough since the last one that arrived."""
        turns, since, before = 0, time.monotonic(), self._awaited()
        while before and (turns < TURNS or time.monotonic() - since < GRACE):
            await asyncio.sleep(PACE.poll)
            # The agent looks for files in a thread; on a busy machine what waits behind it comes behind it, too.
            await asyncio.to_thread(os.stat, self.scratch.root)
            turns += 1
            if (now := self._awaited()) != before:
                turns, since, before = 0, time.monotonic(), now
        self._given_up |= before

    def _awaited(self) -> set[int]:
        """Lines that may still arrive; what was waited for in vain once is waited for again at the end only."""
        return {number for number in range(1, self._writer.written + 1) if number not in self.bus.seen} - self._given_up

    def _outcome(self, seconds: float) -> Outcome:
        losses: Counter[tuple[str, str, str]] = Counter()
        for number in range(1, self._writer.written + 1):
            if number not in self.bus.seen:
                losses[self._fate(number)] += 1
        files = sorted(self.scratch.outside(path) for path in self.scratch.root.rglob("*") if path.is_file())
        return Outcome(
            written=self._writer.written,
            delivered=len(self.bus.seen),
            repeated=self.bus.repeated,
            resent=self.bus.resent,
            rotations=self._rotated,
            losses=tuple(Loss(*fate, lines) for fate, lines in losses.items()),
            files=tuple(files),
            reports=tuple(dict.fromkeys(text.replace(str(self.scratch.root), "") for text in self.reports)),
            seconds=round(seconds, 3),
        )

    def _fate(self, number: int) -> tuple[str, str, str]:
        """Step, file and rotation that a line was lost by."""
        seen = self._seen.get(number)
        if seen is None:
            return "nameless", "", ""
        if seen.look == len(self._looks) - 1:
            return "left", seen.where, ""
        step, rotation = self._looks[seen.look + 1]
        return step, seen.where, rotation
