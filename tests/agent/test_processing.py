"""Processing: what is dropped is dropped for a reason that was configured, counted, and never for anything else.

Answers what users of other agents complain about: events dropped without a reason that can be told, and dropped by
default when a sink is slow.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.batch import Batch
from logintel.bus import Record
from logintel.config.load import load
from logintel.config.problem import Misconfigured
from logintel.config.process import ProcessConfig, RedactionConfig
from logintel.event import Envelope, Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.identity import identify
from logintel.lines import Lines
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.config import AgentConfig
from logintel_agent.dead_letters import DeadLetters, DeadLettersSection
from logintel_agent.delivery import Delivery
from logintel_agent.mark import Mark
from logintel_agent.outgoing import Outgoing, outgoing
from logintel_agent.processing.processing import Processing

ENVELOPE = Envelope("5f7ac8b8-0d2b-5d3f-8a59-4f3d1c1b6a11", {"source": "shop", "host": "web1"}, ("eu",))
MARK = Mark("ab" * 16, None, 0, "2026-11-22T10:00:00.000000Z", "received")
READING = Reading(UTC, datetime(2026, 11, 22, 10, tzinfo=UTC))
PLUGINS = load_plugins()


def processing(directory: Path, **config: Any) -> Processing:
    redaction = RedactionConfig.model_validate({"key": "k" * 32, "budget": "10s"})
    return Processing("shop", ProcessConfig.model_validate(config), redaction, directory, directory)


def send(events: Sequence[Event] | Lines, work: Processing | None) -> Outgoing:
    return outgoing(Batch(events, 1, "s"), MARK, ENVELOPE, work)


def bodies(out: Outgoing) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in out.records]


def some() -> list[Event]:
    return [
        Event("GET /health", "GET /health", level="INFO", metadata={"path": "/health", "status": 200}),
        Event("GET /pay", "GET /pay", level="INFO", metadata={"path": "/pay", "status": 500, "user": {"id": "7"}}),
        Event("cache warm", level="DEBUG"),
        Event("out of memory", level="FATAL", metadata={"path": "/health"}),
    ]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"drop": {"level": "DEBUG"}}, [0, 1, 3]),
        ({"keep": {"level": ["INFO", "FATAL"]}}, [0, 1, 3]),
        ({"drop": {"field": "metadata.path", "prefix": "/hea"}}, [1, 2]),
        ({"drop": {"field": "metadata.path", "equals": "/health", "level": "INFO"}}, [1, 2, 3]),
        ({"keep": {"field": "metadata.status", "equals": [500, 502]}}, [1]),
        ({"drop": {"field": "metadata.user.id", "equals": "7"}}, [0, 2, 3]),
        ({"drop": {"field": "message", "pattern": "warm$"}}, [0, 1, 3]),
    ],
)
def test_a_filter_drops_by_what_the_event_says(tmp_path: Path, rule: dict[str, Any], kept: list[int]) -> None:
    """Complaint: why was my event dropped? The reason is the filter's name, and no content is told."""
    work = processing(tmp_path, filter=[{"name": "noise", **rule}])
    out = send(some(), work)
    raws = [event.raw for event in some()]
    assert [body["raw_log"] for body in bodies(out)] == [raws[place] for place in kept]
    assert [(event.reason, event.original) for event in out.dropped] == [("filter:noise", None)] * (4 - len(kept))
    assert work.dropped == Counter({"filter:noise": 4 - len(kept)})


def test_identity_and_stamps_are_as_if_nothing_were_dropped(tmp_path: Path) -> None:
    """A replay gives the same events, also where the configuration was changed in between."""
    events = [
        Event("a", timestamp="2026-11-22T09:00:01.000000Z", level="DEBUG"),
        Event("b", level="INFO"),
        Event("c", level="DEBUG"),
        Event("d", level="INFO"),
    ]
    everything = send(events, None)
    some_left = send(events, processing(tmp_path, filter=[{"name": "debug", "drop": {"level": "DEBUG"}}]))
    assert some_left.records == [everything.records[1], everything.records[3]]
    assert [event.seq for event in some_left.dropped] == [everything.records[0].seq, everything.records[2].seq]
    assert some_left.mark == everything.mark
    assert bodies(some_left)[0]["timestamp"] == "2026-11-22T09:00:01.000000Z"


def test_a_format_that_writes_events_is_filtered_like_any(tmp_path: Path) -> None:
    texts = [
        f'10.0.0.{n} - - [02/Mar/2026:08:00:00 +0000] "GET /a HTTP/1.1" {200 + n} 5 "-" "curl/8"' for n in range(9)
    ]
    events = Lines(texts, PLUGINS.formats.create("access"), READING)
    work = processing(tmp_path, filter=[{"name": "ok", "drop": {"field": "metadata.status", "equals": [200, 204]}}])
    plain, out = send(events, None), send(events, work)
    assert [orjson.loads(record.value) for record in out.records] == [
        orjson.loads(record.value) for place, record in enumerate(plain.records) if place not in (0, 4)
    ]
    assert out.mark == plain.mark


def test_a_sample_takes_the_same_decision_at_every_replay_and_spares_what_is_severe(tmp_path: Path) -> None:
    def many() -> list[Event]:
        return [Event(f"{n}", level="ERROR" if n % 100 == 0 else "INFO") for n in range(4000)]

    config = {"sample": [{"name": "tenth", "keep": 1, "of": 10}]}
    first, again = (send(many(), processing(tmp_path, **config)) for _ in range(2))
    assert first == again
    assert {event.reason for event in first.dropped} == {"sample:tenth"}
    assert 300 < len(first.records) - 40 < 500
    assert [body["raw_log"] for body in bodies(first) if body["level"] == "ERROR"] == [
        f"{n}" for n in range(0, 4000, 100)
    ]
    severe = send(many(), processing(tmp_path, sample=[{"name": "tenth", "keep": 1, "of": 10, "severe": True}]))
    assert len([body for body in bodies(severe) if body["level"] == "ERROR"]) < 40


def test_a_sample_by_key_keeps_or_drops_what_belongs_together(tmp_path: Path) -> None:
    events = [Event(f"{n}", metadata={"trace": f"t{n % 50}"}) for n in range(500)]
    work = processing(
        tmp_path,
        sample=[
            {
                "name": "traces",
                "keep": 1,
                "of": 4,
                "key": "metadata.trace",
                "where": {"field": "metadata.trace", "prefix": "t"},
            }
        ],
    )
    kept = Counter(body["metadata"]["trace"] for body in bodies(send(events, work)))
    assert set(kept.values()) == {10}
    assert 2 < len(kept) < 30


def test_fields_are_renamed_left_out_set_and_tagged_in_that_order(tmp_path: Path) -> None:
    work = processing(
        tmp_path,
        rename={"metadata.usr": "metadata.user", "metadata.app": "parsed_fields.service"},
        drop=["metadata.cookie"],
        add={"metadata.team": "shop", "metadata.user": "nobody"},
        tags=[{"tag": "slow", "where": {"field": "metadata.path", "prefix": "/slow"}}],
    )
    event = Event("x", metadata={"usr": "bob", "app": "pay", "cookie": "c", "path": "/slow/1"}, tags=["own"])
    (body,) = bodies(send([event], work))
    said = {name: body["metadata"][name] for name in body["metadata"].keys() - {"timestamp_from", "format"}}
    assert said == {"source": "shop", "host": "web1", "user": "nobody", "path": "/slow/1", "team": "shop"}
    assert body["parsed_fields"] == {"service": "pay"}
    assert body["tags"] == ["eu", "own", "slow"]


def test_a_pattern_of_a_filter_that_has_no_end_drops_nothing(tmp_path: Path) -> None:
    redaction = RedactionConfig.model_validate({"key": "k" * 32, "budget": "50ms"})
    rule = {"name": "slow", "drop": {"field": "message", "pattern": r"(a+)+\$"}}
    work = Processing("shop", ProcessConfig.model_validate({"filter": [rule]}), redaction, tmp_path, tmp_path)
    out = send([Event("a" * 200), Event("b"), Event("aa$")], work)
    assert [body["raw_log"][:2] for body in bodies(out)] == ["aa", "b"]


def test_what_is_over_a_rate_or_a_quota_that_drops_is_counted(tmp_path: Path) -> None:
    rated = processing(tmp_path, rate_limit={"events_per_second": 5, "when_exceeded": "drop"})
    out = send([Event(f"{n}") for n in range(50)], rated)
    assert [body["raw_log"] for body in bodies(out)] == [f"{n}" for n in range(5)]
    assert rated.dropped == {"rate_limit": 45}
    assert out.mark.count == 50
    size = len(out.records[0].value)
    small = processing(tmp_path, rate_limit={"bytes_per_second": size * 3, "when_exceeded": "drop"})
    assert len(send([Event(f"{n}") for n in range(9)], small).records) == 3


QUOTA = {"events_per_day": 25, "when_exceeded": "drop"}


def test_a_quota_counts_over_restarts(tmp_path: Path) -> None:
    def day() -> str:
        return f"{datetime.now(UTC):%Y-%m-%d}"

    started, counts = "", list[int]()
    while started != day():  # once more where midnight came in between
        started = day()
        counts = [
            len(send([Event(f"{n}") for n in range(10)], processing(tmp_path / started, quota=QUOTA)).records)
            for _ in range(3)
        ]
    assert counts == [10, 10, 5]


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_every_event_is_sent_or_dropped_once(sizes: list[int], of: int) -> None:
    with TemporaryDirectory() as directory:
        work = processing(
            Path(directory),
            filter=[{"name": "even", "drop": {"field": "message", "pattern": "[02468]$"}}],
            sample=[{"name": "some", "keep": 1, "of": of + 1}],
            quota={"events_per_day": 40, "when_exceeded": "drop"},
            redact=["secrets"],
        )
        mark = MARK
        for size in sizes:
            events = [Event(f"password={n} {n}") for n in range(size)]
            if not events:
                continue
            out = outgoing(Batch(events, 1, "s"), mark, ENVELOPE, work)
            _, seqs = identify(bytes.fromhex(MARK.id), [(n, n + 1) for n in range(mark.count, mark.count + size)])
            assert sorted([*(r.seq for r in out.records), *(d.seq for d in out.dropped)]) == seqs
            assert list(out.dropped) == sorted(out.dropped)
            mark = out.mark


class Bus:
    """Takes everything at once, and remembers it."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def place(self, stream: bytes) -> int | None:
        return None

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:
        assert records
        self.records += records
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def batches(count: int, size: int) -> AsyncGenerator[Batch, None]:
    for number in range(count):
        yield Batch([Event(f"{number}-{n}") for n in range(size)], number, "s")


def delivered(tmp_path: Path, work: Processing, count: int, size: int) -> tuple[Bus, float]:
    """What the bus got of batches, and the seconds that it took."""
    bus = Bus()
    letters = DeadLetters(tmp_path / "letters", DeadLettersSection(), lambda: "")
    checkpoint = Checkpoint(tmp_path / "checkpoint", "machine")

    async def run() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await Delivery("shop", ENVELOPE, checkpoint, bus, letters, work).run(batches(count, size))
        return loop.time() - started

    try:
        return bus, asyncio.run(run())
    finally:
        checkpoint.close()


def test_a_rate_limit_holds_the_source_back_and_loses_nothing(tmp_path: Path) -> None:
    """Complaint: the default answer to pressure is to drop. Here it is to wait."""
    work = processing(tmp_path, rate_limit={"events_per_second": 100, "burst": "100ms"})
    bus, seconds = delivered(tmp_path, work, count=10, size=10)
    assert len(bus.records) == 100
    assert seconds > 0.85  # 90 events more than the burst, at 100 a second
    assert not work.dropped


def test_a_batch_of_which_nothing_is_left_moves_the_cursor(tmp_path: Path) -> None:
    work = processing(tmp_path, filter=[{"name": "all", "drop": {"field": "message", "pattern": "-"}}])
    bus, _ = delivered(tmp_path, work, count=3, size=4)
    assert bus.records == []
    assert work.dropped == {"filter:all": 12}
    mark = Checkpoint(tmp_path / "checkpoint", "machine").mark("shop", "s")
    assert mark is not None
    assert (mark.cursor, mark.count) == (2, 12)


def test_what_redaction_holds_back_is_kept_on_this_host(tmp_path: Path) -> None:
    redaction = RedactionConfig.model_validate({"key": "k" * 32, "budget": "50ms"})
    rule = {"name": "slow", "pattern": r"(a+)+\$"}
    work = Processing("shop", ProcessConfig.model_validate({"redact": [rule]}), redaction, tmp_path, tmp_path)

    async def one() -> AsyncGenerator[Batch, None]:
        yield Batch([Event("a" * 100), Event("!")], 1, "s")

    bus = Bus()
    letters = DeadLetters(tmp_path / "letters", DeadLettersSection(), lambda: "")
    checkpoint = Checkpoint(tmp_path / "checkpoint", "machine")
    asyncio.run(Delivery("shop", ENVELOPE, checkpoint, bus, letters, work).run(one()))
    checkpoint.close()
    assert [orjson.loads(record.value)["raw_log"] for record in bus.records] == ["!"]
    files = [path for path in (tmp_path / "letters").iterdir() if b"redaction_overrun" in path.read_bytes()]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600]


WRONG = """\
sources:
  - name: shop
    type: application
    paths: [a.log]
    process:
      redact: [secrets, emial, {name: mine, pattern: 'a*'}, {name: jwt, pattern: 'x'}]
      filter:
        - {name: both, drop: {level: DEBUG}, keep: {level: INFO}}
        - {name: bad, drop: {field: message, pattern: '('}}
        - {name: none, drop: {prefix: x}}
      sample:
        - {name: all, keep: 5, of: 5}
      add: {metadata.host: x, message: y}
      rename: {metadata.a: parsed_fields.bogus}
      rate_limit: {burst: 2s}
      quota: {events_per_day: 0}
"""
PROBLEMS = [
    "6: sources[0].process.redact[1]: unknown redaction rule 'emial'; did you mean 'email'?",
    "6: sources[0].process.redact[2]: the pattern also matches an empty text",
    "6: sources[0].process.redact[3].name: 'jwt' is the name of a built-in rule",
    "8: sources[0].process.filter[0]: expected either `drop` or `keep`",
    "9: sources[0].process.filter[1].drop.pattern: not a regular expression",
    "10: sources[0].process.filter[2].drop: prefix needs `field`",
    "12: sources[0].process.sample[0]: keep (5) must be less than of (5)",
    "13: sources[0].process.add.metadata.host: metadata.host is what the agent itself says",
    "13: sources[0].process.add.message: expected metadata.NAME or parsed_fields.NAME",
    "14: sources[0].process.rename.metadata.a: expected metadata.NAME or parsed_fields.NAME",
    "15: sources[0].process.rate_limit: expected `events_per_second`, `bytes_per_second` or both",
    "16: sources[0].process.quota.events_per_day: expected a number greater than 0",
]


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(WRONG)
    with pytest.raises(Misconfigured) as caught:
        load(AgentConfig, tmp_path / "agent.yaml", tmp_path)
    told = str(caught.value).replace(f"{tmp_path}/agent.yaml:", "")
    assert [problem for problem in PROBLEMS if problem not in told] == [], told


def test_a_short_key_is_refused_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("agent: {redaction: {rules: [secrets], key: short-key}}\n")
    with pytest.raises(Misconfigured, match="at least 16 characters") as caught:
        load(AgentConfig, tmp_path / "agent.yaml", tmp_path)
    assert "short-key" not in str(caught.value)
