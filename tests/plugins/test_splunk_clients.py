"""Real clients of the HTTP Event Collector: Python's logging through splunk-handler and splunk-hec-handler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hec_collector import TOKEN, Collecting, run
from splunk_handler import SplunkHandler
from splunk_hec_handler import SplunkHecHandler


@contextmanager
def logger(handler: logging.Handler) -> Iterator[logging.Logger]:
    """A logger of this test's own."""
    found = logging.Logger("shop")  # noqa: LOG001 - one that nobody else has
    found.addHandler(handler)
    try:
        yield found
    finally:
        handler.close()


def batched(port: int) -> None:
    """splunk-handler collects in a thread of its own and sends many events in one request."""
    handler = SplunkHandler(
        host="127.0.0.1", port=port, token=TOKEN, index="main", protocol="http", hostname="app01", source="shop",
        sourcetype="python:log", flush_interval=0.2, retry_count=0,
    )  # fmt: skip
    with logger(handler) as log:
        for number in range(100):
            log.warning("cart %d has no owner", number)
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            log.exception("checkout failed")
        handler.force_flush()


def one_by_one(port: int) -> None:
    """splunk-hec-handler sends a request for each record, of text or of values."""
    handler = SplunkHecHandler(
        host="127.0.0.1", token=TOKEN, index="main", port=port, proto="http", source="shop", sourcetype="python:json"
    )
    with logger(handler) as log:
        log.error({"message": "order placed", "order": 7, "fields": {"color": "blue"}})
        log.info("plain text line")


# splunk-handler never closes its session.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_splunk_handler() -> None:
    async def work(running: Collecting) -> None:
        await asyncio.to_thread(batched, running.port)

    kept = run(work).kept
    assert [event.raw for event in kept[:-1]] == [f"cart {n} has no owner" for n in range(100)]
    assert "ZeroDivisionError" in str(kept[-1].fields["stack_trace"])
    assert {(event.fields["host"], event.metadata["splunk_sourcetype"]) for event in kept} == {("app01", "python:log")}
    assert all(event.timestamp for event in kept)


def test_splunk_hec_handler() -> None:
    async def work(running: Collecting) -> None:
        await asyncio.to_thread(one_by_one, running.port)

    placed, plain = run(work).kept
    assert (placed.message, placed.level, placed.metadata["order"]) == ("order placed", "ERROR", 7)
    assert placed.metadata["color"] == "blue"
    assert (plain.message, plain.level) == ("plain text line", "INFO")
