"""Documents of the sample logs as rows of log_entries: each once, whole; what PostgreSQL refuses is found alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest

from logintel.bus import Stored
from logintel_collector.config import PostgresConfig
from logintel_collector.processor import Processor
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_documents import row_of
from logintel_collector.stores.postgres_entries import Refusal, store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Records = Callable[..., list[Stored]]
Scenario = Callable[[asyncpg.Connection], Awaitable[None]]
DOCUMENT: dict[str, Any] = {
    "source_id": "6f1d5c2e-8a0b-5f4e-9c57-1f0e6c6f6769",
    "timestamp": "2026-03-04T05:06:07.000000Z",
    "level": "INFO",
    "message": "hidden",
    "category": None,
    "tags": [],
    "metadata": {"source": "shop", "source_type": "application"},
    "size_bytes": 6,
    "processing_status": "processed",
    "created_at": "2026-03-04T05:06:08.000000Z",
}


def document(**fields: Any) -> bytes:
    return orjson.dumps({"log_id": str(uuid.uuid4()), **DOCUMENT, **fields})


def run(database: str, scenario: Scenario) -> None:
    async def main() -> None:
        config = PostgresConfig.model_validate({"dsn": database})
        async with connected(config, "test") as connection, asyncio.timeout(60):
            await migrate(connection)
            await scenario(connection)

    asyncio.run(main())


async def stored(connection: asyncpg.Connection, documents: Sequence[bytes]) -> list[Refusal]:
    made = [row_of(body) for body in documents]
    return await store(connection, [row for row, _ in made], {source for _, source in made})


async def messages(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch("SELECT message FROM log_entries ORDER BY message")]


def test_the_samples_are_stored_whole_and_once(database: str, records: Records) -> None:
    documents = Processor(lambda: NOW).process(records(3000), {}).documents

    async def scenario(connection: asyncpg.Connection) -> None:
        bodies = [document.body for document in documents]
        assert await stored(connection, bodies[:2000]) == []
        # Some are there already, and some come twice.
        assert await stored(connection, bodies[1000:] + bodies[2500:]) == []
        found = await connection.fetch("SELECT * FROM log_entries ORDER BY id")
        assert len(found) == 3000
        for row, source in zip(
            found, sorted((d.source for d in documents), key=lambda s: str(s["log_id"])), strict=True
        ):
            assert str(row["id"]) == row["log_id"] == source["log_id"]
            assert str(row["source_id"]) == source["source_id"]
            assert row["timestamp"] == datetime.fromisoformat(str(source["timestamp"]))
            assert row["created_at"] == NOW
            for name in ("level", "message", "category", "size_bytes", "processing_status"):
                assert row[name] == source[name]
            for name in ("tags", "metadata"):
                assert orjson.loads(row[name]) == source[name]
        sources = await connection.fetch("SELECT id, name, type, is_active, health_status FROM log_sources")
        assert [tuple(row)[1:] for row in sources] == [("samples", "application", True, "unknown")]

    run(database, scenario)


#: What no table takes, and what the refusal says of it: never the value.
BAD: list[tuple[bytes, str]] = [
    (
        document(level="hidden" * 4),
        "22001 StringDataRightTruncationError: value too long for type character varying(20)",
    ),
    (
        document(timestamp="2026-13-04T05:06:07.000000Z"),
        "22008 DatetimeFieldOverflowError: date/time field value out of range",
    ),
]


@pytest.mark.parametrize(("bad", "error"), BAD, ids=["too_long", "no_date"])
def test_a_row_that_is_refused_is_found_among_the_good_ones(database: str, bad: bytes, error: str) -> None:
    async def scenario(connection: asyncpg.Connection) -> None:
        documents = [document(message=f"{n:03}") for n in range(300)]
        for place in (0, 150, 299):
            documents[place] = bad
        assert await stored(connection, documents) == [Refusal(place, error) for place in (0, 150, 299)]
        assert await messages(connection) == [f"{n:03}" for n in range(300) if n not in (0, 150, 299)]

    run(database, scenario)


def test_what_text_cannot_hold_is_replaced(database: str) -> None:
    async def scenario(connection: asyncpg.Connection) -> None:
        body = document(
            message="a\0b",
            category="\0",
            tags=["\0", "x"],
            metadata={"source": "sh\0p", "a\0": [{"b": "\0\\u0000"}]},
            source_id=str(uuid.uuid4()),
        )
        assert await stored(connection, [document(message="good"), body]) == []
        row = await connection.fetchrow("SELECT * FROM log_entries WHERE message <> 'good'")
        assert (row["message"], row["category"], orjson.loads(row["tags"])) == ("a�b", "�", ["�", "x"])
        assert orjson.loads(row["metadata"]) == {"source": "sh�p", "a�": [{"b": "�\\u0000"}]}
        assert await connection.fetchval("SELECT name FROM log_sources WHERE id = $1", row["source_id"]) == "sh�p"

    run(database, scenario)


def test_whatever_stands_in_a_text_comes_back_as_it_was(database: str) -> None:
    """COPY's own signs: ends of values and rows, NULL, and the end of the data."""
    texts = ["a\tb", "a\nb", "a\r\nb", "\\", "\\N", "\\.", "a\n\\.\nb", "", "\\n", "\x01\x7f\u2028\U0001f600"]

    async def scenario(connection: asyncpg.Connection) -> None:
        documents = [
            document(
                message=text, tags=[text], metadata={text: text}, category=text, level=text[:20], log_id=f"x{text}"
            )
            for text in texts
        ]
        assert await stored(connection, documents) == []
        rows = await connection.fetch("SELECT * FROM log_entries")
        found = {(row["message"], row["category"], row["level"], row["log_id"]) for row in rows}
        assert found == {(text, text, text[:20], f"x{text}") for text in texts}
        for row in rows:
            assert orjson.loads(row["tags"]) == [row["message"]]
            assert orjson.loads(row["metadata"]) == {row["message"]: row["message"]}

    run(database, scenario)


def test_what_is_longer_than_its_column_is_cut(database: str) -> None:
    async def scenario(connection: asyncpg.Connection) -> None:
        named = {"source_id": str(uuid.uuid4()), "metadata": {"source": "n" * 200, "source_type": "t" * 200}}
        long = document(log_id="i" * 300, category="c" * 200, **named)
        foreign = document(log_id="order-17", metadata={}, source_id=str(uuid.uuid4()))
        assert await stored(connection, [long, foreign]) == []
        assert await stored(connection, [long, foreign]) == []
        rows = await connection.fetch(
            "SELECT length(log_id), length(category), length(name), length(type) FROM log_entries JOIN log_sources "
            "ON log_sources.id = source_id ORDER BY 1"
        )
        assert [tuple(row) for row in rows] == [(8, None, 36, 6), (255, 100, 100, 50)]

    run(database, scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hidden",
        b"[1]",
        document(source_id="hidden"),
        document(source_id=None),
        document(timestamp="hidden"),
        document(timestamp="0001-01-01T00:00:00+14:00"),
        document(level=5),
        document(size_bytes=2**40),
        document(message=["hidden"]),
        document(metadata=["hidden"]),
        document(metadata={"text": "hidden"}).replace(b'"hidden"}', rb'"\ud800"}'),
        document(log_id=7),
        document()[:-40],
        document().replace(b"hidden", b"\xff"),
        document().replace(b"hidden", rb"\ud800"),
    ],
)
def test_what_is_no_document_is_told_without_its_content(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        row_of(body)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("text", ["2026-03-04T06:06:07+01:00", "2026-03-04T05:06:07", "2026-03-04T05:06:07.000000Z"])
def test_times_are_in_utc(text: str) -> None:
    moment = datetime.fromisoformat(row_of(document(timestamp=text))[0].timestamp)
    assert moment.isoformat() == "2026-03-04T05:06:07+00:00"


def test_two_recorders_that_store_the_same_rows_at_once_store_each_once(database: str, records: Records) -> None:
    """As after a rebalance that took partitions from one that was at work."""
    bodies = [document.body for document in Processor(lambda: NOW).process(records(4000), {}).documents]

    async def one(mine: list[bytes]) -> list[Refusal]:
        async with connected(PostgresConfig.model_validate({"dsn": database}), "test") as connection:
            return await stored(connection, mine)

    async def scenario(connection: asyncpg.Connection) -> None:
        refused = await asyncio.gather(one(bodies), one(bodies[1000:]), one(bodies[:3000]))
        assert not any(refused)
        assert await connection.fetchval("SELECT count(*) FROM log_entries") == 4000

    run(database, scenario)
