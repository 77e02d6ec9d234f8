"""The sap source on whole files: each becomes the events of tests/plugins/data/sap/expected.json."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from logintel.event import Event
from logintel.hooks import load_plugins
from logintel.source import InputExhausted, SourceContext
from logintel_sap.source import SapConfig, SapSource

FORMATS = load_plugins().formats
DATA = Path(__file__).parent / "data/sap"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((DATA / "expected.json").read_text("utf-8"))


def events_of(path: Path) -> list[Event]:
    """What the source makes of a file, whose kind it has to find out."""
    config = SapConfig(name="s", type="sap", paths=(str(path),), timezone="Europe/Berlin")
    source = SapSource(config, SourceContext(once=True, formats=FORMATS))

    async def read() -> list[Event]:
        found: list[Event] = []
        with suppress(InputExhausted):
            async for batch in source.batches({}):
                found += batch.events
        return found

    return asyncio.run(read())


def said(event: Event) -> dict[str, Any]:
    """All that an event says beside its raw text, without what is empty."""
    parts = {
        "timestamp": event.timestamp,
        "level": event.level,
        "message": event.message,
        "parsed_fields": event.fields,
        "metadata": event.metadata,
        "tags": event.tags,
        "format": event.format,
    }
    return {name: value for name, value in parts.items() if value}


def test_every_file_has_an_expectation() -> None:
    assert {path.name for path in DATA.iterdir()} - {"README.md", "expected.json"} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_events_of_a_file(name: str) -> None:
    assert [said(event) for event in events_of(DATA / name)] == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_no_line_is_lost(name: str) -> None:
    raw = "\n".join(event.raw for event in events_of(DATA / name)).split("\n")
    lines = (DATA / name).read_text("utf-8").split("\n")
    assert [line for line in raw if line.strip(" ")] == [line for line in lines if line.strip(" ")]
