"""What one batch changed is in the store as a whole, survives closing, and is there once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from logintel.bus import Record, Stored
from logintel_collector.alert import Alert, Changes, Notification, RuleState, Severity
from logintel_collector.notifier.outbox import Attempt
from logintel_collector.processor import Processed, Processor
from logintel_collector.rules.rule import Rule, RuleConfig, rule_from
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.tables import SEED_TABLES

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = "2026-11-22T13:00:00.000000Z"
Records = Callable[..., list[Stored]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "logintel.sqlite"


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[Store]:
    store = await Store.open(path, clock)
    try:
        yield store
    finally:
        await store.close()


def run(function: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(function())


def processed(batch: Sequence[Stored]) -> Processed:
    return Processor(lambda: NOW).process(batch, {})


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def alert(**changes: Any) -> Alert:
    made = Alert(
        "a1", "Too many", "why", "HIGH", "OPEN", None, "log-1", "r1", "2026-11-22T11:00:00.000000Z", {"count": 3}
    )
    return replace(made, **changes)


def test_a_batch_is_there_after_reopening(path: Path, records: Records) -> None:
    batch = [*records(70), Stored(71, Record(b"broken", b"t" * 16, b"1" * 12))]
    done = processed(batch)
    changes = Changes([alert()], [RuleState("r1", "g", "v1", b"{}")], [Notification("n1", "a1", {"x": 1}, LATER)])

    async def main() -> None:
        async with opened(path) as store:
            assert (await store.offset(), await store.positions(), await store.total_indexed()) == (0, {}, 0)
            await store.apply(done, changes, 71)
        async with opened(path) as store:
            assert await store.offset() == 71
            assert await store.positions() == done.positions
            assert await store.total_indexed() == 70
            assert await store.rule_states() == changes.states
            assert await store.open_alerts() == changes.alerts
            assert [p.notification for p in await store.pending("log", LATER, 10)] == changes.notifications

    run(main)
    assert rows(path, "SELECT body FROM documents ORDER BY id") == [(d.body.decode(),) for d in done.documents]
    assert rows(path, "SELECT * FROM dead_letters") == [(*astuple(letter), None) for letter in done.dead_letters]


def test_log_entries_show_the_document(path: Path, records: Records) -> None:
    done = processed(records(40))

    async def main() -> None:
        async with opened(path) as store:
            await store.apply(done, Changes(), 40)

    run(main)
    names = SEED_TABLES["log_entries"]
    for row, document in zip(
        rows(path, f"SELECT {', '.join(names)} FROM log_entries ORDER BY document_id"), done.documents, strict=True
    ):
        shown = dict(zip(names, row, strict=True))
        assert shown.pop("id") == document.log_id
        shown["tags"], shown["metadata"] = orjson.loads(shown["tags"]), orjson.loads(shown["metadata"])
        assert shown == {name: document.source[name] for name in shown}
    source = done.documents[0].source
    assert rows(path, "SELECT id, name, type, is_active FROM log_sources") == [
        (source["source_id"], "samples", "application", 1)
    ]


def test_applying_the_same_again_changes_nothing(path: Path, records: Records) -> None:
    done = processed([*records(50), Stored(51, Record(b"broken", b"t" * 16, b"1" * 12))])
    changes = Changes([alert()], [RuleState("r1", "g", "v1", b"{}")], [Notification("n1", "a1", {}, LATER)])

    async def contents(times: int) -> dict[str, Any]:
        async with opened(path) as store:
            for _ in range(times):
                await store.apply(done, changes, 51)
        return {
            table: rows(path, f"SELECT * FROM {table}")
            for table in ("documents", "log_entries", "alerts", "dead_letters", "outbox", "rule_states", "bus_offsets")
        }

    once = asyncio.run(contents(1))
    assert asyncio.run(contents(2)) == once


def test_an_event_that_is_stored_stays_and_new_ones_beside_it_are_added(path: Path, records: Records) -> None:
    batch = records(40)

    async def main() -> None:
        async with opened(path) as store:
            await store.apply(processed(batch[:20]), Changes(), 20)
            await store.apply(processed(batch[10:]), Changes(), 40)
            await store.apply(processed([batch[0]] * 1 + records(1, b"u" * 16)), Changes(), 41)

    run(main)
    assert rows(path, "SELECT count(*), count(DISTINCT body) FROM documents") == [(41, 41)]
    assert rows(path, "SELECT document_id FROM log_entries EXCEPT SELECT id FROM documents") == []
    assert rows(path, "SELECT count(*) FROM log_entries") == [(41,)]


def test_a_failure_keeps_nothing_of_the_batch(path: Path, records: Records) -> None:
    broken = Changes([alert(source_id="no such source")])

    async def main() -> None:
        async with opened(path) as store:
            with pytest.raises(Exception, match="FOREIGN KEY"):
                await store.apply(processed(records(10)), broken, 10)
            assert (await store.offset(), await store.positions(), await store.total_indexed()) == (0, {}, 0)
            await store.apply(processed(records(10)), Changes(), 10)
            assert await store.total_indexed() == 10

    run(main)


def test_rule_states_are_replaced_and_forgotten(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as store:
            states = [RuleState("r", group, "1", b"a") for group in ("x", "y")]
            await store.apply(Processed(), Changes(states=states), 1)
            await store.apply(
                Processed(), Changes(states=[RuleState("r", "x", "2", b"b"), RuleState("r", "y", "2", None)]), 2
            )
            assert await store.rule_states() == [RuleState("r", "x", "2", b"b")]

    run(main)


def test_an_alert_moves_on_and_keeps_what_people_did(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as store:
            await store.apply(Processed(), Changes([alert()]), 1)
            with closing(sqlite3.connect(path)) as person:
                person.execute("UPDATE alerts SET acknowledged_at = ?", (LATER,))
                person.commit()
            await store.apply(Processed(), Changes([alert(severity="CRITICAL", metadata={"count": 9})]), 2)
            assert await store.open_alerts() == [
                alert(severity="CRITICAL", metadata={"count": 9}, acknowledged_at=LATER)
            ]
            await store.apply(Processed(), Changes([alert(status="RESOLVED", resolved_at=LATER)]), 3)
            assert await store.open_alerts() == []

    run(main)


def test_streams_that_were_idle_for_long_are_forgotten(path: Path, records: Records) -> None:
    async def main() -> None:
        async with opened(path) as store:
            await store.apply(processed(records(1)), Changes(), 1)
        async with opened(path, lambda: NOW + timedelta(days=20)) as store:
            await store.apply(processed(records(1, b"u" * 16)), Changes(), 2)
        async with opened(path, lambda: NOW + timedelta(days=31)) as store:
            assert (await store.positions()).keys() == {b"u" * 16}

    run(main)


def test_each_channel_tells_a_notification_until_it_is_done_with_it(path: Path) -> None:
    first, second = (Notification(f"n{n}", "a1", {"n": n}, f"2026-11-22T1{n}:00:00.000000Z") for n in (1, 2))

    async def main() -> None:
        async with opened(path) as store:
            await store.apply(Processed(), Changes(notifications=[second, first]), 1)
            assert [(p.notification, p.attempts) for p in await store.pending("log", LATER, 10)] == [
                (first, 0),
                (second, 0),
            ]
            assert len(await store.pending("log", LATER, 1)) == 1
            await store.report("log", [Attempt("n1"), Attempt("n2", "refused", "2026-11-22T14:00:00.000000Z")])
            assert await store.pending("log", LATER, 10) == []
            assert [
                (p.notification, p.attempts) for p in await store.pending("log", "2026-11-22T14:00:00.000000Z", 9)
            ] == [(second, 1)]
            await store.report("log", [Attempt("n2", "refused")])
            assert await store.pending("log", "2027-01-01T00:00:00.000000Z", 10) == []
            assert len(await store.pending("webhook", LATER, 10)) == 2

    run(main)


@pytest.mark.parametrize(
    ("said", "told", "shown"),
    [
        ("ACKNOWLEDGED", "OPEN", "ACKNOWLEDGED"),
        ("ACKNOWLEDGED", "RESOLVED", "RESOLVED"),
        ("CLOSED", "OPEN", "CLOSED"),
        ("CLOSED", "RESOLVED", "CLOSED"),
        ("OPEN", "RESOLVED", "RESOLVED"),
    ],
)
def test_an_update_does_not_undo_what_a_person_decided(path: Path, said: str, told: str, shown: str) -> None:
    async def run() -> None:
        store = await Store.open(path)
        try:
            await store.apply(Processed(), Changes([alert()]), 1)
            with closing(sqlite3.connect(path)) as person, person:
                person.execute("UPDATE alerts SET status = ?", (said,))
            await store.apply(Processed(), Changes([alert(status=told)]), 2)
        finally:
            await store.close()

    asyncio.run(run())
    assert rows(path, "SELECT status FROM alerts") == [(shown,)]


def test_alert_rules_show_the_rules_of_this_run(path: Path) -> None:
    def rule(name: str, severity: Severity = "LOW") -> Rule:
        config = RuleConfig.model_validate(
            {"name": name, "query": {"match_all": {}}, "conditions": {"type": "match"}, "severity": severity}
        )
        return rule_from(config, "logintel", lambda _: True)

    async def main() -> None:
        async with opened(path) as store:
            await store.save_rules([rule("a"), rule("b")])
        async with opened(path, lambda: NOW + timedelta(days=1)) as store:
            await store.save_rules([rule("b", "HIGH"), rule("c")])

    run(main)
    shown = rows(path, "SELECT name, severity, is_active, created_at < updated_at FROM alert_rules ORDER BY name")
    assert shown == [("a", "LOW", 0, 0), ("b", "HIGH", 1, 1), ("c", "LOW", 1, 0)]
    assert orjson.loads(rows(path, "SELECT conditions FROM alert_rules")[0][0])["type"] == "match"
