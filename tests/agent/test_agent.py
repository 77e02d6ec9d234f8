"""The agent over a real local bus: what a source yields arrives once under the same ids, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest

from logintel.batch import Accept, Batch, Cursor, Full
from logintel.bus import Record
from logintel.bus.local import LocalBus
from logintel.event import MAX_ENCODED, Event, decode
from logintel.hooks import Plugins
from logintel.source import InputExhausted, Source, SourceConfig, SourceContext, SpoolConfig
from logintel_agent.agent import Agent
from logintel_agent.dead_letter_files import DeadLetterFiles
from logintel_agent.dead_letters import LETTERS, DeadLetters, DeadLettersSection

PAGES = [[f"order {page}.{n}" for n in range(3)] for page in range(5)]


class PagesSource(Source):
    """Pages of a REST API: the cursor is the number of the next page."""

    type = "pages"
    fail_at: int | None = None
    starts: int = 0

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        PagesSource.starts += 1
        page = cursors.get("orders") or 0
        assert isinstance(page, int)
        while page < len(PAGES):
            if page == self.fail_at:
                PagesSource.fail_at = None
                raise ConnectionError("the API went away")
            events = [Event(text, timestamp=f"2026-11-22T10:00:0{page}.000000Z") for text in PAGES[page]]
            page += 1
            yield Batch(events, page, stream="orders")
        await self.idle(60)


@pytest.fixture(autouse=True)
def fresh_pages() -> None:
    PagesSource.fail_at, PagesSource.starts = None, 0


def letters_in(directory: Path) -> DeadLetters:
    return DeadLetters(directory / "worker-0" / LETTERS, DeadLettersSection(), lambda: "c0ffee")


class Run:
    """One run of an agent over `directory`; the records on the bus at its end."""

    def __init__(self, directory: Path, source: type[Source], *, once: bool = True) -> None:
        self.directory = directory
        self.problems: list[str] = []
        self.plugins = Plugins({source.type: source})
        self.config = SourceConfig(name="shop", type=source.type, environment="test", tags=("eu",))
        self.context = SourceContext(once=once, report=self.problems.append)

    def until_the_end(self) -> list[Record]:
        return asyncio.run(self._run(None))

    def until(self, condition: Callable[[], bool]) -> list[Record]:
        return asyncio.run(self._run(condition))

    async def _run(self, condition: Callable[[], bool] | None) -> list[Record]:
        async with LocalBus(self.directory / "bus", 10**9) as bus:
            consumer = bus.consumer(0)
            directory, letters = self.directory / "agent", letters_in(self.directory / "agent")
            agent = Agent(directory, "test", [self.config], self.plugins, bus.producer(), self.context, letters)
            stop = asyncio.Event()
            running = asyncio.create_task(agent.run(stop))
            async with asyncio.timeout(120):
                while condition and not condition():
                    await asyncio.sleep(0.01)
                if condition:
                    stop.set()
                await running
            records: list[Record] = []
            while bus.lag().bytes:
                records += [stored.record for stored in await consumer.read(1000)]
            return records


def body(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = decode(record.value)
    return value


def texts(records: Sequence[Record]) -> list[str]:
    return [body(record)["raw_log"] for record in records]


def test_everything_arrives_in_order_with_what_the_agent_knows(tmp_path: Path) -> None:
    records = Run(tmp_path, PagesSource).until_the_end()
    assert texts(records) == [text for page in PAGES for text in page]
    assert len({record.stream for record in records}) == 1
    assert [record.seq for record in records] == sorted({record.seq for record in records})
    event = body(records[0])
    assert event["tags"] == ["eu"]
    metadata = event["metadata"]
    assert (metadata["source"], metadata["source_type"], metadata["service"]) == ("shop", "pages", "shop")
    assert (metadata["environment"], metadata["timestamp_from"]) == ("test", "record")


def test_a_second_run_goes_on_behind_the_first(tmp_path: Path) -> None:
    Run(tmp_path, PagesSource).until_the_end()
    assert len(Run(tmp_path, PagesSource).until_the_end()) == 15


def test_a_source_that_fails_is_started_again_from_its_cursor(tmp_path: Path) -> None:
    PagesSource.fail_at = 3
    run = Run(tmp_path, PagesSource, once=False)
    records = run.until(lambda: PagesSource.starts == 2)
    assert run.problems == ["source shop: ConnectionError: the API went away"]
    later = Run(tmp_path, PagesSource).until_the_end()
    assert len(later) >= len(records)
    once = {record.seq: record for record in later}
    assert texts([once[seq] for seq in sorted(once)]) == [text for page in PAGES for text in page]


def test_a_lost_checkpoint_is_another_stream_and_never_hides(tmp_path: Path) -> None:
    first = Run(tmp_path, PagesSource).until_the_end()
    (tmp_path / "agent" / "worker-0" / "checkpoint").unlink()
    both = Run(tmp_path, PagesSource).until_the_end()
    assert texts(both[len(first) :]) == texts(first)
    assert len({record.stream for record in both}) == 2
    assert len({body(record)["log_id"] for record in both}) == 2 * len(first)


class UndatedSource(Source):
    """Some events state no time; the stream's fallback is the file's date."""

    type = "undated"

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        done = cursors.get("s") or 0
        assert isinstance(done, int)
        events = [Event("a"), Event("b", timestamp="2026-11-22T11:00:00.000000Z"), Event("c"), Event("d")]
        for n in range(done, len(events)):
            yield Batch([events[n]], n + 1, stream="s", stamp="2020-01-01T00:00:00.000000Z")
            if n == 2 and not done:
                return  # the run ends here; the next one must know what time it was
        raise InputExhausted


def test_where_a_timestamp_comes_from_survives_a_restart(tmp_path: Path) -> None:
    Run(tmp_path, UndatedSource).until_the_end()
    records = Run(tmp_path, UndatedSource).until_the_end()
    stamps = [(body(r)["raw_log"], body(r)["timestamp"][:19], body(r)["metadata"]["timestamp_from"]) for r in records]
    assert stamps == [
        ("a", "2020-01-01T00:00:00", "mtime"),
        ("b", "2026-11-22T11:00:00", "record"),
        ("c", "2026-11-22T11:00:00", "previous"),
        ("d", "2026-11-22T11:00:00", "previous"),
    ]


class HugeSource(Source):
    """Events that are too long to be sent whole."""

    type = "huge"

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        yield Batch([Event("ä" * 2_000_000, tags=["t"]), Event("x", metadata={"m": "\0" * 600_000})], 1, stream="s")
        raise InputExhausted


def test_an_event_that_is_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    first, second = Run(tmp_path, HugeSource).until_the_end()
    assert max(len(first.value), len(second.value)) <= MAX_ENCODED
    assert body(first)["tags"] == ["eu", "t", "_cut"]
    assert body(first)["metadata"]["cut_from"] == 2_000_000
    assert len(body(first)["raw_log"]) > 50_000
    assert body(second)["raw_log"] == "x"


def test_the_whole_of_what_was_cut_is_a_dead_letter_that_only_the_owner_may_read(tmp_path: Path) -> None:
    """Complaint 8: one oversize record is retried for ever, or dropped unseen."""
    sent = Run(tmp_path, HugeSource).until_the_end()
    files = DeadLetterFiles(tmp_path / "agent" / "worker-0" / LETTERS, 10**9, 10**9)
    kept = [found.kept for found in files.read()]
    assert [each.letter.log_id for each in kept] == [body(record)["log_id"] for record in sent]
    assert [(each.letter.stage, each.letter.reason, each.letter.config_version) for each in kept] == [
        ("send", "too_long", "c0ffee")
    ] * 2
    assert [(each.letter.stream, each.letter.seq, each.source) for each in kept] == [
        (r.stream, r.seq, "shop") for r in sent
    ]
    whole = [decode(each.letter.original) for each in kept]
    assert whole[0]["raw_log"] == "ä" * 2_000_000
    assert whole[1]["metadata"]["m"] == "\0" * 600_000  # type: ignore[index, call-overload]
    assert {path.stat().st_mode & 0o777 for path in files.segments()} == {0o600}


class PushedSource(Source):
    """A sender that comes in with two requests."""

    type = "pushed"
    answered: int = 0

    async def serve(self, accept: Accept) -> None:
        for n in range(2):
            await accept([Event(f"request {n}", timestamp="2026-11-22T10:00:00.000000Z")])
            PushedSource.answered += 1
        await asyncio.Event().wait()


def test_what_was_accepted_arrives_once(tmp_path: Path) -> None:
    PushedSource.answered = 0
    records = Run(tmp_path, PushedSource, once=False).until(lambda: PushedSource.answered == 2)
    again = Run(tmp_path, PushedSource).until_the_end()
    assert texts(again)[: len(records)] == texts(records)
    once = {(record.stream, record.seq): record for record in again}
    assert texts(list(once.values())) == ["request 0", "request 1"]


class Slow:
    """A bus that acknowledges when it is told to."""

    def __init__(self) -> None:
        self.acks: list[asyncio.Future[None]] = []

    async def place(self, stream: bytes) -> int | None:
        return 3

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:
        self.acks.append(asyncio.get_running_loop().create_future())
        return self.acks[-1]


def test_no_cursor_moves_before_its_events_are_acknowledged(tmp_path: Path) -> None:
    bus = Slow()
    config = SourceConfig(name="shop", type="pages")
    checkpoint = tmp_path / "worker-0" / "checkpoint"

    async def run() -> list[int]:
        plugins, context = Plugins({"pages": PagesSource}), SourceContext(once=True)
        agent = Agent(tmp_path, "test", [config], plugins, bus, context, letters_in(tmp_path))
        running = asyncio.create_task(agent.run(asyncio.Event()))
        seen = []
        for place in (0, 2, 1, 3, 4):
            while len(bus.acks) < len(PAGES):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.7)  # longer than the pause between two saves
            lines = [orjson.loads(line.split(b" ", 1)[1]) for line in checkpoint.read_bytes().splitlines()[1:]]
            seen.append(lines[-1]["mark"]["cursor"] or 0)
            bus.acks[place].set_result(None)
        await running
        return seen

    assert asyncio.run(run()) == [0, 1, 1, 3, 4]


class CutSource(Source):
    """A record, then one that is cut: its cursor must be saved before it leaves, so behind what came before."""

    type = "cut"

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        yield Batch([Event("first")], 1, stream="file")
        yield Batch((), 1, stream="file")
        yield Batch([Event("second")], 2, stream="file")
        await asyncio.Event().wait()


def test_a_stop_ends_it_well_while_a_cut_waits_for_a_bus_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logintel_agent.source_run.STOP_DEADLINE", 0.1)
    bus = Slow()
    config = SourceConfig(name="shop", type="cut")

    async def run() -> None:
        stop = asyncio.Event()
        plugins, letters = Plugins({"cut": CutSource}), letters_in(tmp_path)
        agent = Agent(tmp_path, "test", [config], plugins, bus, SourceContext(), letters)
        running = asyncio.create_task(agent.run(stop))
        while not bus.acks:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # until it waits for the first to be acknowledged before it sends the second
        stop.set()
        await running
        assert not bus.acks[0].cancelled(), "the stop took the answer from the bus"

    asyncio.run(run())


class FloodSource(Source):
    """A sender of more than the spool holds, which notes what it was answered."""

    type = "flood"
    answers: ClassVar[list[str]] = []

    async def serve(self, accept: Accept) -> None:
        for _ in range(40):
            try:
                await accept([Event("x" * 100_000)])
                self.answers.append("taken")
            except Full:
                self.answers.append("full")
        await asyncio.Event().wait()


@pytest.mark.parametrize(("policy", "answers"), [("block", {"taken", "full"}), ("drop_newest", {"taken"})])
def test_complaint_21_a_full_spool_refuses_but_where_the_source_is_told_to_drop(
    policy: str, answers: set[str], tmp_path: Path
) -> None:
    FloodSource.answers.clear()
    room = SpoolConfig.model_validate({"max_bytes": "2MiB", "when_full": policy})
    config = SourceConfig(name="net", type="flood", spool=room)

    async def run() -> None:
        plugins = Plugins({"flood": FloodSource})
        agent = Agent(tmp_path, "test", [config], plugins, Slow(), SourceContext(), letters_in(tmp_path))
        running = asyncio.create_task(agent.run(asyncio.Event()))
        async with asyncio.timeout(120):
            while len(FloodSource.answers) < 40:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(run())
    assert set(FloodSource.answers) == answers
    kept = sum(path.stat().st_size for path in (tmp_path / "worker-0" / "spool" / "net").glob("*.seg"))
    assert 2_000_000 < kept < 2_500_000
