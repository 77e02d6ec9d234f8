"""The agent: starts every configured source, keeps it delivering, and puts another configuration into effect."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from logintel.bus import Producer
from logintel.config.process import ProcessConfig, RedactionConfig
from logintel.hooks import Plugins
from logintel.listeners import Listeners, Opener
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.refused import Refused
from logintel.source import SourceConfig, SourceContext, envelope
from logintel_agent.checkpoint import Checkpoint, Watcher, machine_id
from logintel_agent.dead_letters import DeadLetters
from logintel_agent.seating import Seating
from logintel_agent.self_description import described
from logintel_agent.source_run import STOP_DEADLINE, SourceRun
from logintel_agent.status import Status, of_agent
from logintel_agent.way import Reading, Receiving, Way

if TYPE_CHECKING:
    from logintel_agent.config import AgentConfig
    from logintel_agent.processing.processing import Processing

#: Seconds between saves of the cursors that moved: what a kill makes us read again.
SAVE_EVERY: Final = 0.5
#: Seconds that a worker whose supervisor was killed may need to end: so long the next one waits for its directory.
_LINGERING: Final = 2 * STOP_DEADLINE


@dataclass(slots=True)
class Agent:
    """Collects from `sources` and sends to `producer`, remembering in `directory`/worker-`number` how far it got.

    letters  keeps what cannot go on
    redaction  of all sources
    seating  what of the sources is its own
    processing  of each source that has any, by its name; filled while it runs
    watcher  is told of each stream that goes on
    facts  what its status says besides: of the bus, of dead letters
    """

    directory: Path
    installation: str
    sources: Sequence[SourceConfig]
    plugins: Plugins
    producer: Producer
    context: SourceContext
    letters: DeadLetters
    redaction: RedactionConfig = field(default_factory=RedactionConfig)
    number: int = 0
    seating: Seating = field(default_factory=Seating)
    facts: Callable[[], Status] = dict
    watcher: Watcher | None = None
    checkpoint: Checkpoint | None = None
    runs: dict[str, SourceRun] = field(default_factory=dict)
    processing: dict[str, Processing] = field(default_factory=dict)
    _listeners: Listeners = field(default_factory=Listeners)
    _gone_events: int = 0
    _group: asyncio.TaskGroup | None = None
    _stopping: bool = False
    _finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def home(self) -> Path:
        """Where the checkpoint and the spools are."""
        return self.directory / f"worker-{self.number}"

    @property
    def events_sent(self) -> int:
        """Events handed to the bus since the start."""
        return self._gone_events + sum(run.counts.sent for run in self.runs.values())

    @property
    def dropped(self) -> Counter[str]:
        """Events that were not sent, by what dropped them or held them back, since the start."""
        return sum((each.dropped for each in self.processing.values()), Counter())

    async def run(self, stop: asyncio.Event) -> None:
        """Until every source has ended (in a run that ends) or `stop` is set; then what is on its way is waited for.

        Raises Refused, OSError.
        """
        lock = await _locked(self.home)
        self.context = replace(self.context, listeners=self._listeners)
        try:
            self.checkpoint = Checkpoint(self.home / "checkpoint", machine_id())
            if self.watcher is not None:
                self.checkpoint.watch(self.watcher)
            async with asyncio.TaskGroup() as self._group:
                saving = self._group.create_task(self._save_regularly())
                for config in self.sources:
                    self._start(config.name, self._ways(config), config)
                if self.context.once and not self.sources:
                    self._finished.set()
                await _either(stop, self._finished)
                self._stopping = True
                await asyncio.gather(*(run.stop() for run in self.runs.values()))
                saving.cancel()
        finally:
            if self.checkpoint is not None:
                self.checkpoint.close()
            await self._listeners.keep(())
            lock.release()

    async def apply(self, config: AgentConfig, changed: Container[str] = ()) -> None:
        """Run the sources of `config`: stop those that are gone or `changed`, start these and the new, leave others.

        What is to start is made before anything stops: what it raises (Refused: an address is taken) leaves all as it
        was.
        """
        if self.context.once:
            raise Refused("a run with --once ends by itself: start it again with the new configuration")
        before, self.redaction = self.redaction, config.agent.redaction
        wanted = {source.name: source for source in config.sources}
        started = {name: wanted[name] for name in wanted if name not in self.runs or name in changed}
        stopped = [name for name in self.runs if name not in wanted or name in started]
        try:
            ways = await self._made(started)
        except BaseException:
            self.redaction = before
            raise
        await asyncio.gather(*(self._stopped(name, gone=name not in wanted) for name in stopped))
        if self._stopping:
            raise Refused("the agent is stopping")
        for name, source in started.items():
            self._start(name, ways[name], source)
        self.sources = config.sources
        await self._listeners.keep(self._listening(config.sources))

    async def status(self, *, streams: bool) -> Status:
        """What it does; see status."""
        runs = [run for run in self.runs.values() if run.ways]
        return of_agent(runs, self.stream_counts(), self.checkpoint if streams else None, self.facts(), self.number)

    def described(self) -> list[dict[str, Any]]:
        """The sources that it has, for people; see self_description."""
        return [
            {"id": run.ways[0].envelope.source_id, **described(run.config, self.plugins.sources[run.config.type])}
            for run in self.runs.values()
            if run.ways
        ]

    def stream_counts(self) -> Counter[str]:
        """Streams that have cursors, by source."""
        return Counter(source for source, _ in self.checkpoint.marks()) if self.checkpoint else Counter()

    async def _made(self, started: Mapping[str, SourceConfig]) -> dict[str, list[Way]]:
        try:
            ways = {name: self._ways(config) for name, config in started.items()}
            if not self.context.once:
                await self._listeners.hold(self._listening(started.values()))
        except BaseException:
            await self._listeners.keep(self._listening([run.config for run in self.runs.values()]))
            raise
        return ways

    async def _stopped(self, name: str, *, gone: bool) -> None:
        run = self.runs[name]
        await run.stop()
        if gone:
            await run.empty()
        self._gone_events += run.counts.sent
        del self.runs[name]

    def _start(self, name: str, ways: Sequence[Way], config: SourceConfig) -> None:
        assert self._group is not None
        self.runs[name] = SourceRun(config, ways, self.context)
        self._group.create_task(self.runs[name].run()).add_done_callback(self._look_whether_all_is_done)

    def _look_whether_all_is_done(self, _ended: asyncio.Task[None]) -> None:
        """A pipe ends, and whatever a source of a plugin reads may. Of several workers none ends before the others."""
        may_end = self.context.once or (self.seating.workers == 1 and any(run.ways for run in self.runs.values()))
        if may_end and all(run.finished for run in self.runs.values()):
            self._finished.set()

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            for run in list(self.runs.values()):
                await run.save()
            await self.letters.expire()

    def _ways(self, config: SourceConfig) -> list[Way]:
        """How the source's events come to the bus: read, received, or both."""
        assert self.checkpoint is not None
        make = partial(self.plugins.sources[config.type], config, self.context)
        source = make()
        about = envelope(config, self.installation, host_local=source.host_local)
        common = make, about, self.checkpoint, self.producer, self.letters, self._processing(config)
        ways: list[Way] = []
        if source.replayable() and (source.split or self._is_home(config, received=False)):
            ways.append(Reading(config.name, *common))
        if source.pushed() and self._is_home(config, received=True):
            ways.append(Receiving(config.name, *common, self.home / "spool" / config.name, config.spool))
        return ways

    def _is_home(self, config: SourceConfig, *, received: bool) -> bool:
        return self.seating.home(config.name, received=received) == self.number

    def _processing(self, config: SourceConfig) -> Processing | None:
        """What is done to the source's events; both its ways share its limits. None: nothing."""
        if config.process is None and not self.redaction.rules:
            return None
        from logintel_agent.processing.processing import Processing  # noqa: PLC0415 - only who configures it needs it

        process = config.process or ProcessConfig()
        processing = Processing(config.name, process, self.redaction, self.directory, self.home)
        self.processing[config.name] = processing
        return processing

    def _listening(self, sources: Iterable[SourceConfig]) -> dict[str, Opener]:
        """What they listen on."""
        here = [config for config in sources if self._is_home(config, received=True)]
        made = (self.plugins.sources[config.type](config, self.context) for config in here)
        return {name: opener for source in made for name, opener in source.listening().items()}


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    """Until one of them is set."""
    waiting = {asyncio.ensure_future(one.wait()), asyncio.ensure_future(other.wait())}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def _locked(home: Path) -> DirectoryLock:
    """The worker's directory, as soon as the one that had it has ended."""
    deadline = time.monotonic() + _LINGERING
    while True:
        try:
            return DirectoryLock(home)
        except DirectoryLocked as error:
            if time.monotonic() > deadline:
                raise Refused(str(error)) from error
            await asyncio.sleep(0.1)
