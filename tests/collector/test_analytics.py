"""The analyst counts what a plain loop over the same documents counts, in Elasticsearch as in the SQLite file.

Late events are what peers' dashboards and alerts miss (elastalert#2534, #373, #1076): here they correct their bucket.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import orjson
import pytest
from analytics_oracle import Found, assert_right
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.bus import Record, Stored
from logintel.event import Event
from logintel_collector.alert import Changes
from logintel_collector.analytics import look
from logintel_collector.analytics.look import Analyst, Events, Looked
from logintel_collector.analytics.point import Point
from logintel_collector.analytics.state import State
from logintel_collector.config import ElasticsearchConfig
from logintel_collector.processor import Processed, Processor
from logintel_collector.stores import elasticsearch_events
from logintel_collector.stores.elasticsearch import ElasticsearchClient, connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_events import ElasticsearchEvents
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating, set_up
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_events import SqliteEvents

#: Not near midnight: a day's values are told apart by day.
NOW = datetime(2026, 11, 22, 12, 0, 40, tzinfo=UTC)
STORES = ("sqlite", "elasticsearch")


class Sheet:
    """A sink that can be read: the newest version of each point, and the records that were saved."""

    def __init__(self) -> None:
        self.points: dict[tuple[Any, ...], tuple[int, dict[str, float]]] = {}
        self.records: dict[bytes, bytes] = {}
        self.saves = 0
        self.fail_after: int | None = None

    async def save(self, points: Sequence[Point], changes: Mapping[bytes, bytes | None], version: int) -> None:
        if self.fail_after is not None and self.saves >= self.fail_after:
            raise ConnectionError("killed")
        self.saves += 1
        for point in points:
            known = self.points.get(point[:4], (0, {}))
            assert version >= known[0]
            # A store of single metrics keeps those that a bucket no longer brings; there are none.
            self.points[point[:4]] = (version, {**known[1], **point.metrics})
        for key, value in changes.items():
            if value is None:
                self.records.pop(key)
            else:
                self.records[key] = value

    def found(self) -> Found:
        return {key: metrics for key, (_, metrics) in self.points.items()}


class World(Protocol):
    """A store that documents are put into."""

    events: Events
    documents: list[dict[str, Any]]

    async def put(self, events: Iterable[dict[str, Any]], arrived: datetime) -> None: ...


def processed(events: Iterable[dict[str, Any]], arrived: datetime) -> Processed:
    stored = []
    for place, event in enumerate(events, 1):
        body = {"source_id": "s1", "log_id": secrets.token_hex(8), "raw_log": "x", "level": "INFO", **event}
        stored.append(Stored(place, Record(orjson.dumps(body), secrets.token_bytes(16), b"\0" * 12)))
    return Processor(lambda: arrived).process(stored, {})


class SqliteWorld:
    def __init__(self, store: Store, events: Events) -> None:
        self._store, self.events, self._offset = store, events, 0
        self.documents: list[dict[str, Any]] = []

    async def put(self, events: Iterable[dict[str, Any]], arrived: datetime) -> None:
        batch = processed(events, arrived)
        self._offset += 1
        await self._store.apply(batch, Changes(), self._offset)
        self.documents += [document.source for document in batch.documents]


class ElasticsearchWorld:
    def __init__(self, client: ElasticsearchClient) -> None:
        self._client = client
        self.events: Events = ElasticsearchEvents(client)
        self.documents: list[dict[str, Any]] = []

    async def put(self, events: Iterable[dict[str, Any]], arrived: datetime) -> None:
        batch = processed(events, arrived).documents
        entries = [
            Entry(
                creating(self._client.prefix, document.day or OUTLIERS) + document.log_id.encode() + b'"}}',
                document.body,
            )
            for document in batch
        ]
        assert (await BulkWriter(self._client).store(entries)).stored == len(entries)
        self.documents += [document.source for document in batch]


@pytest.fixture
def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """`open_world(kind)`: an empty store."""

    @asynccontextmanager
    async def sqlite() -> AsyncIterator[World]:
        path = tmp_path / f"{secrets.token_hex(4)}.sqlite"
        store = await Store.open(path, lambda: NOW)
        events = await SqliteEvents.open(path)
        try:
            yield SqliteWorld(store, events)
        finally:
            await events.close()
            await store.close()

    @asynccontextmanager
    async def elasticsearch() -> AsyncIterator[World]:
        address = request.getfixturevalue("elasticsearch")
        config = ElasticsearchConfig(hosts=(address,), prefix=f"a{secrets.token_hex(6)}-", shards=2, replicas=0)
        async with connected(config) as client:
            await set_up(client, config)
            try:
                yield ElasticsearchWorld(client)
            finally:
                names = await client.ask("GET", f"/{config.prefix}*/_settings?filter_path=*.settings.index.uuid")
                if names:
                    await client.ask("DELETE", f"/{','.join(names)}")
                await client.ask("DELETE", f"/_index_template/{config.prefix}*")

    return {"sqlite": sqlite, "elasticsearch": elasticsearch}.__getitem__


def analyst(world: World, sheet: Sheet, now: datetime, values: int = 500) -> Analyst:
    """As one that starts anew, with what was remembered."""
    return Analyst(world.events, sheet, State(sheet.records, values), lambda: now)


async def looked(world: World, sheet: Sheet, now: datetime, values: int = 500) -> Looked:
    """Look until nothing is left."""
    one, total = analyst(world, sheet, now, values), Looked(left=1)
    while total.left:
        found = await one.look()
        total = Looked(total.buckets + found.buckets, total.points + found.points, found.left)
    return total


def event(at: datetime, **fields: Any) -> dict[str, Any]:
    return {"timestamp": at.isoformat(), **fields}


HOSTS = st.sampled_from([None, "", "web01", "web02", "größer"])
EVENTS = st.builds(
    lambda back, level, raw, category, agent, record, source: {
        "timestamp": (NOW - timedelta(milliseconds=back)).isoformat(),
        "level": level,
        "raw_log": raw,
        "metadata": {
            name: value for name, value in (("host", agent), ("service", "app"), ("category", category)) if value
        },
        "parsed_fields": {} if record is None else {"host": record, "service": record},
        "source_id": source,
    },
    st.one_of(
        st.integers(-3_600_000, 2 * 3_600_000),
        st.sampled_from([0, 1, 59_999, 60_000, 3_600_000, 4000 * 86_400_000, -3 * 86_400_000, 30 * 86_400_000]),
    ),
    st.sampled_from(["DEBUG", "INFO", "WARN", "ERROR", "FATAL", None]),
    st.text(max_size=8),
    st.sampled_from([None, "audit", "access"]),
    HOSTS,
    HOSTS,
    st.sampled_from(["s1", "s2"]),
)


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 25), ("elasticsearch", 3)])
def test_any_events_in_any_batches_are_counted_as_a_plain_loop_counts_them(
    kind: str, examples: int, open_world: Any
) -> None:
    """Late events, the future, outliers, empty values: after each look everything that is over is right."""

    @settings(max_examples=examples)
    @given(st.lists(st.tuples(st.lists(EVENTS, max_size=12), st.integers(0, 4000)), min_size=1, max_size=4))
    def check(batches: list[tuple[list[dict[str, Any]], int]]) -> None:
        async def scenario() -> None:
            async with open_world(kind)() as world:
                now, sheet = NOW, Sheet()
                for events, later in batches:
                    await world.put(events, now)
                    await looked(world, sheet, now)
                    assert_right(sheet.found(), world.documents, now)
                    now += timedelta(seconds=later)
                await looked(world, sheet, now)
                assert_right(sheet.found(), world.documents, now)

        asyncio.run(scenario())

    check()


@pytest.mark.parametrize("kind", STORES)
def test_real_lines_are_counted_as_a_plain_loop_counts_them(
    kind: str, open_world: Any, sample_events: list[Event]
) -> None:
    async def scenario() -> None:
        async with open_world(kind)() as world:
            sheet = Sheet()
            days = [(NOW - timedelta(days=n)).isoformat()[:10] for n in range(2)]
            events = [
                {
                    # Their own time of the day, on few days: each would get an index.
                    "timestamp": days[place % 2] + (one.timestamp or NOW.isoformat())[10:],
                    "level": one.level,
                    "raw_log": one.raw,
                    "metadata": {"host": "web01", "service": "samples", "format": one.format},
                    "parsed_fields": one.fields,
                    "source_id": f"s{place % 3}",
                }
                for place, one in enumerate(sample_events)
            ]
            half = len(events) // 2
            for part in (events[:half], events[half:]):
                await world.put(part, NOW)
                await looked(world, sheet, NOW)
            assert len(world.documents) > 1000
            assert_right(sheet.found(), world.documents, NOW)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", STORES)
def test_a_late_event_corrects_its_minute_and_its_hour_alone(kind: str, open_world: Any) -> None:
    async def scenario() -> None:
        async with open_world(kind)() as world:
            sheet = Sheet()
            await world.put([event(NOW - timedelta(minutes=n)) for n in range(150)], NOW)
            await looked(world, sheet, NOW)
            before = sheet.found()
            late = NOW - timedelta(minutes=100)
            await world.put([event(late, level="ERROR")], NOW)
            assert (await looked(world, sheet, NOW)).buckets == 2
            changed = {key for key, metrics in sheet.found().items() if metrics != before.get(key)}
            assert {(key[0], key[1]) for key in changed} == {
                ("minute", int(late.timestamp()) // 60 * 60),
                ("hour", int(late.timestamp()) // 3600 * 3600),
            }
            assert_right(sheet.found(), world.documents, NOW)
            assert (await looked(world, sheet, NOW)).buckets == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", STORES)
def test_a_minute_is_counted_when_it_is_over_though_nothing_new_comes(kind: str, open_world: Any) -> None:
    """Events of the future wait for their time; a quiet time costs nothing and makes no points."""

    async def scenario() -> None:
        async with open_world(kind)() as world:
            sheet = Sheet()
            await world.put([event(NOW), event(NOW + timedelta(minutes=5))], NOW)
            assert (await looked(world, sheet, NOW)).points == 0
            now = NOW + timedelta(seconds=50)
            assert (await looked(world, sheet, now)).points > 0
            assert_right(sheet.found(), world.documents, now)
            assert (await looked(world, sheet, now + timedelta(minutes=4))).points == 0
            now = NOW + timedelta(hours=2)
            await looked(world, sheet, now)
            assert_right(sheet.found(), world.documents, now)
            assert (await looked(world, sheet, now + timedelta(days=2))).points == 0

    asyncio.run(scenario())


def test_a_date_that_could_not_be_believed_is_not_counted_when_its_time_comes(open_world: Any) -> None:
    """Embedded, where no index of their own keeps outliers apart."""

    async def scenario() -> None:
        async with open_world("sqlite")() as world:
            sheet = Sheet()
            await world.put([event(NOW + timedelta(days=2))], NOW)
            for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=3)):
                await looked(world, sheet, now)
                assert_right(sheet.found(), world.documents, now)
            assert {tuple(metrics) for metrics in sheet.found().values()} == {("log_outliers",)}

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", STORES)
def test_whoever_is_killed_before_it_has_saved_all_is_followed_by_one_that_ends_with_the_same(
    kind: str, open_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "SAVED", 20)

    async def scenario() -> None:
        async with open_world(kind)() as world:
            await world.put([event(NOW - timedelta(seconds=20 * n), level="ERROR") for n in range(12)], NOW)
            whole = Sheet()
            await looked(world, whole, NOW)
            for saves in (0, 1, whole.saves // 2, whole.saves - 2, whole.saves - 1):
                sheet = Sheet()
                sheet.fail_after = saves
                with pytest.raises(ConnectionError):
                    await looked(world, sheet, NOW)
                sheet.fail_after = None
                await looked(world, sheet, NOW)
                assert sheet.found() == whole.found()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", STORES)
def test_small_slices_end_with_the_same(kind: str, open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "SLICE", 7)
    monkeypatch.setattr(look, "CHUNK", 3)
    monkeypatch.setattr(elasticsearch_events, "_PAGE", 2)
    monkeypatch.setattr(elasticsearch_events, "_MINUTES", 2)

    async def scenario() -> None:
        async with open_world(kind)() as world:
            sheet = Sheet()
            await world.put([event(NOW - timedelta(seconds=50 * n), source_id=f"s{n % 4}") for n in range(20)], NOW)
            await looked(world, sheet, NOW)
            assert_right(sheet.found(), world.documents, NOW)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", STORES)
def test_values_beyond_the_most_are_counted_together_and_stay_so(
    kind: str, open_world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cardinality is bounded (vector#20562), and what is over the bound is seen: the sum is right, also after a restart."""

    async def scenario() -> None:
        async with open_world(kind)() as world:
            sheet = Sheet()
            at = NOW - timedelta(hours=2)
            for first in (0, 3, 6):
                hosts = [f"h{n}" for n in range(first, first + 4)] + ["x" * 200]
                await world.put([event(at, metadata={"host": host}) for host in hosts], NOW)
                await looked(world, sheet, NOW, values=5)
                by_host = {
                    key[3]: metrics["log_events"]
                    for key, metrics in sheet.found().items()
                    if key[0] == "hour" and key[2] == "host"
                }
                assert sum(by_host.values()) == len(world.documents)
                assert len(by_host) <= 6
            assert by_host == {"h0": 1, "h1": 1, "h2": 1, "h3": 2, "h4": 1, "_other": 9}

    asyncio.run(scenario())
    assert "dimension_full" in capsys.readouterr().out
