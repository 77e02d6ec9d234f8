"""Enrichment: whatever an enricher does, each event goes on as it would alone; nothing is lost, nothing is hidden."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from enriching import NOW, PLUGINS, enricher, event, processed, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from logintel.bus import Stored
from logintel.config.load import load
from logintel.config.problem import Misconfigured
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.hooks import hookimpl, load_plugins
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.enrichment.building import enrichment_of
from logintel_collector.enrichment.enrichment import Enrichment
from logintel_collector.processor import Processor

BAD = "13"
GEOIP = Path(__file__).parent / "data/geoip"
Spoil = Callable[[Enriched], Any]


class Marking(Enricher):
    """Says in metadata that it was there."""

    type: ClassVar[str] = "marking"

    def enrich(self, events: Sequence[Enriched]) -> None:
        for one in events:
            one["metadata"]["marked"] = one["message"]  # type: ignore[index, call-overload]


class Failing(Enricher):
    """Spoils the events whose text is BAD."""

    type: ClassVar[str] = "failing"
    spoil: ClassVar[Spoil]

    def enrich(self, events: Sequence[Enriched]) -> None:
        for one in events:
            one["metadata"]["half_done"] = True  # type: ignore[index, call-overload]
            if one["raw_log"] == BAD:
                type(self).spoil(one)


class Closed(Failing):
    """Of the events whose text is BAD none may go on."""

    type: ClassVar[str] = "closed"
    fails_closed: ClassVar[bool] = True


def made(kind: type[Enricher], spoil: Spoil | None = None) -> Enricher:
    if spoil is not None:
        kind.spoil = staticmethod(spoil)  # type: ignore[attr-defined]
    return kind(EnricherConfig(type=kind.type), EnricherContext())


def raises(_event: Enriched) -> None:
    raise KeyError("a secret of the event")


def never_ends(_event: Enriched) -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


SPOILERS: list[Spoil] = [
    raises,
    never_ends,
    lambda one: one.update(log_id="another"),
    lambda one: one.update(level="LOUD"),
    lambda one: one.update(tags=[1]),
    lambda one: one.update(metadata=None),
    lambda one: one.pop("message"),
    lambda one: one["metadata"].update(x={1, 2}),  # type: ignore[union-attr, call-overload]
    lambda one: one["metadata"].update(x=2**70),  # type: ignore[union-attr]
]


@pytest.mark.parametrize("spoil", SPOILERS, ids=range(len(SPOILERS)))
def test_an_event_that_an_enricher_fails_on_goes_on_without_it(spoil: Spoil) -> None:
    """Logstash drops or blocks on a plugin's exception (peers: a filter that throws takes its events with it)."""
    values = [event(raw_log=str(n)) for n in range(20)]
    with capture_logs() as logs:
        done = processed(values, made(Marking), made(Failing, spoil), enricher("facts", table={"web01": {"team": "a"}}))
    assert [document.source["raw_log"] for document in done.documents] == [str(n) for n in range(20)]
    assert (done.unenriched, done.dead_letters) == (1, [])
    for document in done.documents:
        bad = document.source["raw_log"] == BAD
        metadata: Any = document.source["metadata"]
        assert orjson.loads(document.body) == document.source
        assert metadata["marked"] == document.source["raw_log"]
        assert metadata["team"] == "a"
        assert metadata.get("enrich_failed") == (["failing"] if bad else None)
        assert ("half_done" in metadata) is not bad
        assert document.source["tags"] == (["_unenriched"] if bad else [])
    (told,) = [log for log in logs if log["event"] == "enricher_failed"]
    assert told["enricher"] == "failing"
    assert told["remedy"]
    assert "secret" not in str(told)


def test_what_fails_always_is_told_once_and_counted() -> None:
    failing = made(Failing, raises)
    enrichment = Enrichment([failing])
    processor = Processor(lambda: NOW, enrichment=enrichment)
    with capture_logs() as logs:
        done = processor.process(stored([event(raw_log=BAD) for _ in range(500)]), {})
    assert (len(done.documents), done.unenriched, enrichment.failures) == (500, 500, {"failing": 500})
    assert len(logs) == 1


def test_what_an_enricher_that_fails_closed_fails_on_is_a_dead_letter() -> None:
    values = [event(raw_log=str(n)) for n in range(20)]
    done = processed(values, made(Closed, raises))
    (letter,) = done.dead_letters
    assert len(done.documents) == 19
    assert (letter.reason, letter.original) == ("closed_failed", values[int(BAD)])


def test_a_document_is_made_of_every_sample_by_the_default_set(records: Callable[..., list[Stored]]) -> None:
    enrichment = enrichment_of(None, PLUGINS)
    assert enrichment is not None
    assert [one.type for one in enrichment.enrichers] == ["geoip", "user_agent"]
    batch = records(5000)
    done = Processor(lambda: NOW, enrichment=enrichment).process(batch, {})
    assert (len(done.documents), done.unenriched) == (5000, 0)
    assert any("'browser'" in str(document.source["metadata"]) for document in done.documents)


LINES = [
    event({"client_ip": "10.0.0.7", "user_agent": "curl/8.5.0"}, message="user ann logged in from 10.0.0.7"),
    event({"client_ip": "81.2.69.160"}, message="user bob logged in from 81.2.69.160"),
    event({}, message="user carl logged in from nowhere", level="ERROR"),
    event({"client_ip": "not an address"}, raw_log=BAD, message="password=hunter2secret"),
    b"no event at all",
]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(LINES), max_size=40), st.integers(1, 7), st.booleans())
def test_what_an_event_becomes_does_not_depend_on_its_batch(values: list[bytes], size: int, fails: bool) -> None:
    """A replay after a crash reads other batches."""

    def bodies(size: int) -> list[bytes]:
        enrichers = [
            enricher("geoip", database=str(GEOIP / "GeoIP2-City-Test.mmdb")),
            enricher("user_agent"),
            enricher("template", state="/nowhere/templates.json"),
            enricher("redact", rules=["secrets"], key="k" * 32),
            *([made(Failing, raises)] if fails else []),
        ]
        return [document.body for document in processed(values, *enrichers, size=size).documents]

    assert bodies(size) == bodies(1000)


def test_big_events_are_enriched_a_few_at_a_time() -> None:
    """Memory is bounded by bytes, not by the number of events alone."""
    sizes: list[int] = []

    class Counting(Marking):
        def enrich(self, events: Sequence[Enriched]) -> None:
            sizes.append(len(events))

    done = processed([event(raw_log="x" * 300_000) for _ in range(20)], made(Counting))
    assert len(done.documents) == 20
    assert max(sizes) <= 4


def test_preparing_fails_and_hangs_alone() -> None:
    class Hanging(Marking):
        async def prepare(self, events: Sequence[Enriched]) -> None:
            assert [one["raw_log"] for one in events] == ["a"]
            raise OSError("no route")

    enrichment = Enrichment([made(Hanging)])
    processor = Processor(lambda: NOW, enrichment=enrichment)
    with capture_logs() as logs:
        asyncio.run(processor.prepare([event(raw_log="a"), b"damaged"]))
    assert [log["enricher"] for log in logs] == ["marking"]
    assert processor.process(stored([event(raw_log="a")]), {}).documents[0].source["metadata"]["marked"] == "a"  # type: ignore[index, call-overload]


def config(tmp_path: Path, text: str) -> CollectorConfig:
    (file := tmp_path / "collector.yaml").write_text(text)
    return load(CollectorConfig, file, tmp_path / "data")


def test_enrichers_are_configured_in_order(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text("host,team\nweb01,payments\n")
    found = config(
        tmp_path,
        "enrich:\n  - {type: facts, file: hosts.csv}\n  - type: category\n    rules:\n"
        "      - {category: checkout, where: {field: metadata.team, equals: payments}}\n",
    )
    enrichment = enrichment_of(found.enrich, PLUGINS)
    assert enrichment is not None
    (document,) = processed([event()], *enrichment.enrichers).documents
    assert document.source["category"] == "checkout"
    assert "enrich by facts" in found.plan()


def test_nothing_is_enriched_where_nothing_is_to_be(tmp_path: Path) -> None:
    found = config(tmp_path, "enrich: []\n")
    assert enrichment_of(found.enrich, PLUGINS) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[{type: geopi}]", "enrich[0].type: unknown enricher type 'geopi'; did you mean 'geoip'?"),
        ("[{database: x}]", "enrich[0].type: is missing: Enricher type, such as"),
        ("[geoip]", "enrich[0]: expected an enricher: keys and values, at least type"),
        ("[{type: geoip, databse: x}]", "enrich[0].databse: unknown key; did you mean 'database'?"),
        ("[{type: facts}]", "enrich[0]: expected either `file` or `table`"),
        ("[{type: facts, by: host, table: {a: {b: c}}}]", "enrich[0].by: expected message, raw_log"),
        ("[{type: category, rules: [{category: x, where: {pattern: a}}]}]", "pattern needs `field`"),
        ("[{type: level, rules: [{level: LOUD, where: {level: INFO}}]}]", "enrich[0].rules[0].level: expected 'DEBUG'"),
        ("[{type: redact, rules: [secret]}]", "unknown redaction rule 'secret'; did you mean 'secrets'?"),
        ("[{type: dns, timeout: 1h}]", "enrich[0].timeout: expected 1ms to 5s"),
        ("[{type: template, interval: 10ms}]", "enrich[0].interval: expected at least 1s"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        config(tmp_path, f"enrich: {text}\n")
    assert problem in str(caught.value)


def test_a_file_that_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    found = config(tmp_path, "enrich: [{type: geoip, database: nowhere.mmdb}]\n")
    with pytest.raises(Refused, match=r"nowhere\.mmdb: No such file or directory: put a file of MaxMind's"):
        enrichment_of(found.enrich, PLUGINS)


def test_a_plugins_enricher_is_found_like_a_built_in_one() -> None:
    class Plugin:
        @hookimpl
        def enrichers(self) -> list[type[Enricher]]:
            return [Marking]

    class Point(EntryPoint):
        def load(self) -> Any:
            return Plugin()

    found = load_plugins([Point("ours", "ours:plugin", "logintel.plugins"), Point("theirs", "x:y", "logintel.plugins")])
    assert found.enrichers == {"marking": Marking}
    assert found.broken == {"theirs": "ValueError: enricher type marking is already provided by another plugin"}


def test_the_enricher_that_the_documentation_shows_works() -> None:
    page = (Path(__file__).parents[2] / "docs/enrichment.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    plugin: dict[str, Any] = {}
    exec(compile(block, "enrichment.md", "exec", dont_inherit=True), plugin)
    (shift,) = plugin["enrichers"]()
    one = shift(shift.Config(type="shift", night_from=20), EnricherContext())
    times = [f"2026-11-21T{hour}:00:00.000000Z" for hour in ("05", "06", "19", "20")]
    done = processed([event(timestamp=stamp) for stamp in times], one)
    shifts: list[Any] = [document.source["metadata"] for document in done.documents]
    assert [metadata["shift"] for metadata in shifts] == ["night", "day", "day", "night"]
