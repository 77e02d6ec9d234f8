"""The contract of sources that read by themselves: stopped, cancelled or killed anywhere, nothing is lost, and what
comes again comes under the same id."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import ClassVar, Final

from logintel.batch import Batch, Cursor
from logintel.hooks import load_plugins
from logintel.source import InputExhausted, Source, SourceContext
from logintel.testing.keeper import Keeper

#: Seconds that one run of the source over the test's input may take.
TIMEOUT: Final = 60.0


class ReplayableContract(ABC):
    """Subclass it in a test module, `class TestMySource(ReplayableContract)`; say how the source is made and fed.

    Where a run takes long, lower these: kills, at evenly spread batches; batches that are not saved when one comes;
    steps of the loop after which a run is cancelled.
    """

    kills: ClassVar[int] = 5
    unsaved: ClassVar[Sequence[int]] = (0, 1, 3)
    steps: ClassVar[Sequence[int]] = (1, 2, 5, 13, 34, 89)

    @abstractmethod
    def source(self, directory: Path, context: SourceContext) -> Source:
        """A new instance that reads what `fill` has put into `directory`. It is called again after each kill."""

    @abstractmethod
    def fill(self, directory: Path) -> Collection[str]:
        """Put input there that gives several batches, malformed records among them; the raw texts it has to become."""

    def begin(self, directory: Path, cursors: Mapping[str, Cursor]) -> None:  # noqa: B027 - most need nothing
        """Another trial over the same input begins, behind `cursors`: for sources whose place is kept elsewhere, as by
        a consumer group."""

    def test_everything_is_read_once(self, tmp_path: Path) -> None:
        """In a run without disturbance: every record, none twice."""
        expected, keeper = self.fill(tmp_path), Keeper()
        batches = asyncio.run(self._run(tmp_path, keeper))
        assert Counter(keeper.texts()) == Counter(expected)
        assert len(keeper.sent) == len(expected), "an event came twice"
        assert sum(bool(batch.events) for batch in batches) > 1, "fill has to give more than one batch"

    def test_a_second_run_reads_nothing_again(self, tmp_path: Path) -> None:
        """Behind the saved cursors there is nothing."""
        expected, keeper = self.fill(tmp_path), Keeper()
        asyncio.run(self._run(tmp_path, keeper))
        asyncio.run(self._run(tmp_path, keeper))
        assert len(keeper.sent) == len(expected), "what was delivered was read again"

    def test_killed_at_each_batch(self, tmp_path: Path) -> None:
        """Sent and not acknowledged, acknowledged and not saved: what comes again has the same id."""
        expected = self.fill(tmp_path)
        count = len(asyncio.run(self._run(tmp_path, Keeper())))
        for kill in self._spread(count):
            for unsaved in self.unsaved:
                keeper = self._anew(tmp_path, Keeper())
                asyncio.run(self._run(tmp_path, keeper, until=kill, unsaved=unsaved))
                asyncio.run(self._run(tmp_path, keeper))
                self._judge(keeper, expected, f"killed at batch {kill} with {unsaved} not saved")

    def test_cancelled_at_each_step(self, tmp_path: Path) -> None:
        """A cancelled read loses nothing that was handed over and nothing that was not."""
        expected = self.fill(tmp_path)
        for steps in self.steps:
            keeper = self._anew(tmp_path, Keeper())
            asyncio.run(self._cancelled(tmp_path, keeper, steps))
            asyncio.run(self._run(tmp_path, keeper))
            self._judge(keeper, expected, f"cancelled after {steps} steps of the loop")

    def test_read_again_from_each_cursor(self, tmp_path: Path) -> None:
        """The events behind a cursor do not depend on how far the source had got before."""
        expected, whole = self.fill(tmp_path), Keeper()
        places = []

        async def note() -> None:
            await self._run(tmp_path, whole, seen=lambda: places.append((dict(whole.saved), len(whole.sent))))

        asyncio.run(note())
        for saved, sent in (places[place] for place in self._spread(len(places))):
            again = self._anew(tmp_path, Keeper(sent=whole.sent[:sent], saved=dict(saved)))
            asyncio.run(self._run(tmp_path, again))
            self._judge(again, expected, f"read again behind {sent} events")

    def test_a_slow_sink_is_waited_for(self, tmp_path: Path) -> None:
        """Backpressure: nothing is read ahead without bound, and nothing is dropped."""
        expected, keeper = self.fill(tmp_path), Keeper()
        asyncio.run(self._run(tmp_path, keeper, pause=0.01))
        self._judge(keeper, expected, "with a slow sink")

    def _anew(self, directory: Path, keeper: Keeper) -> Keeper:
        self.begin(directory, keeper.cursors())
        return keeper

    def _spread(self, count: int) -> Sequence[int]:
        return range(count) if count <= self.kills else [place * count // self.kills for place in range(self.kills)]

    async def _run(
        self,
        directory: Path,
        keeper: Keeper,
        *,
        until: int | None = None,
        unsaved: int = 0,
        pause: float = 0.0,
        seen: Callable[[], None] = lambda: None,
    ) -> Sequence[Batch]:
        """Read as an agent in a run that ends; until the batch `until`, the last `unsaved` of them not saved."""
        problems: list[str] = []
        context = SourceContext(once=True, formats=load_plugins().formats, report=problems.append)
        source = self.source(directory, context)
        keeper.begin()
        batches: list[Batch] = []
        with suppress(InputExhausted):
            async with asyncio.timeout(TIMEOUT), aclosing(source.batches(keeper.cursors())) as reading:
                async for batch in reading:
                    batches.append(batch)
                    keeper.send(batch)
                    if len(batches) > unsaved:
                        await self._acknowledge(source, keeper, batches[-1 - unsaved])
                        seen()
                    if until is not None and len(batches) > until:
                        return batches
                    await asyncio.sleep(pause)
        for batch in batches[max(0, len(batches) - unsaved) :]:
            await self._acknowledge(source, keeper, batch)
        assert problems == [], f"the source reported {problems}: input of the test has to be readable"
        return batches

    async def _acknowledge(self, source: Source, keeper: Keeper, batch: Batch) -> None:
        keeper.save(batch)
        await source.committed(batch.stream, batch.cursor)

    async def _cancelled(self, directory: Path, keeper: Keeper, steps: int) -> None:
        running = asyncio.ensure_future(self._run(directory, keeper))
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    def _judge(self, keeper: Keeper, expected: Collection[str], when: str) -> None:
        keeper.check()
        found, wanted = Counter(keeper.texts()), Counter(expected)
        assert not wanted - found, f"{when}: lost {sorted((wanted - found).elements())[:3]}"
        assert not found - wanted, f"{when}: came under a second id: {sorted((found - wanted).elements())[:3]}"
