"""Self-logging: one JSON object a line for machines, readable for people; nothing uncaught goes unsaid."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator

import pytest
import structlog

from logintel import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    saved = structlog.get_config()
    yield
    structlog.configure(**saved)


def test_each_event_is_one_line_of_json() -> None:
    stream = io.StringIO()
    logs.set_up("info", stream)
    log = structlog.get_logger()
    log.debug("not_shown")
    log.info("batch_delivered", source="shop", records=500)
    log.warning("file_skipped", reason="two\nlines – ünïcode")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert {key: first[key] for key in ("event", "level", "source", "records")} == {
        "event": "batch_delivered",
        "level": "info",
        "source": "shop",
        "records": 500,
    }
    assert first["timestamp"].endswith("Z")
    assert second["reason"] == "two\nlines – ünïcode"


def test_on_a_terminal_it_is_read_by_people() -> None:
    stream = Terminal()
    logs.set_up("warning", stream)
    log = structlog.get_logger()
    log.info("not_shown")
    log.warning("file_skipped", path="/x")
    assert "file_skipped" in stream.getvalue()
    assert "not_shown" not in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_what_no_task_caught_is_logged() -> None:
    stream = io.StringIO()
    logs.set_up("error", stream)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        logs.watch(loop)
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    asyncio.run(run())
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "uncaught_exception"
    assert "ZeroDivisionError" in entry["exception"]
