"""Records as an agent sends them, made of the sample logs that ship with the product; a database for each test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from agent_process import new_agent

from logintel.bus import Record, Stored
from logintel.encoder import Encoder
from logintel.event import Envelope, Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.identity import identify, source_id

__all__ = ["new_agent"]
SAMPLES = Path(__file__).parents[2] / "examples" / "samples"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

Records = Callable[..., list[Stored]]


@pytest.fixture(scope="session")
def sample_events() -> list[Event]:
    """The lines of every sample, as format `auto` decodes them."""
    formats = load_plugins().formats
    events: list[Event] = []
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.suffix in {".log", ".json"}:
            lines = path.read_text("utf-8", "replace").splitlines()
            decoded = formats.create("auto").decode(lines, Reading(UTC, NOW))
            for line, found in zip(lines, decoded, strict=True):
                events.extend(found if isinstance(found, tuple) else [found or Event(line, tags=["_unparsed"])])
    return events


@pytest.fixture(scope="session")
def records(sample_events: list[Event]) -> Records:
    """`records(count, stream, first)`: so many records of one stream, the first with offset `first`."""

    def made(count: int, stream: bytes = b"s" * 16, first: int = 1) -> list[Stored]:
        return stored(islice(cycle(sample_events), count), stream, first)

    return made


def stored(events: Iterable[Event], stream: bytes, first: int) -> list[Stored]:
    listed = list(events)
    envelope = Envelope(
        source_id("logintel", "samples", "web01"),
        {"source": "samples", "source_type": "application", "host": "web01"},
    )
    encode = Encoder(envelope).encode
    spans = [(10 * place, 10 * place + 10) for place in range(first, first + len(listed))]
    return [
        Stored(
            first + place,
            Record(
                encode(event, event.timestamp or "2026-11-22T11:00:00.000000Z", "record", log_id),
                stream,
                seq,
            ),
        )
        for place, (event, log_id, seq) in enumerate(zip(listed, *identify(stream, spans), strict=True))
    ]


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The DSN of an empty database of this test's own."""
    name = f"test_{secrets.token_hex(6)}"

    async def execute(sql: str) -> None:
        connection = await asyncpg.connect(postgres, timeout=30)
        try:
            await connection.execute(sql, timeout=60)
        finally:
            await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))
