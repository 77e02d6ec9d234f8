"""The workloads: W1 nginx access lines, W2 JSON lines, W3 Java lines with traces; the same bytes on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import orjson

_START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
_PATHS: Final = (
    "/",
    "/cart",
    "/api/v1/orders",
    "/api/v1/products/search",
    "/static/app.js",
    "/login",
    "/images/logo.png",
)
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Fire",
)
_TEXTS: Final = ("order accepted", "payment authorised", "cart recalculated", "stock reserved", "session renewed")
_TRACE: Final = 20


class Workload(NamedTuple):
    """`events` are made of `full` at size 1; `lines` yields the text of each event, without the last line end."""

    name: str
    full: int
    lines: Callable[[int], Iterator[str]]

    def write(self, path: Path, events: int) -> int:
        """Write that many events; the bytes written."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(text + "\n" for text in self.lines(events))
        return path.stat().st_size


def _nginx(events: int) -> Iterator[str]:
    dice = random.Random(1)
    for number in range(events):
        moment = _START + timedelta(milliseconds=20 * number)
        address = f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}"
        request = f"{dice.choice(('GET', 'GET', 'GET', 'POST'))} {dice.choice(_PATHS)}?id={number:08d} HTTP/1.1"
        status = dice.choices((200, 304, 404, 500), (90, 5, 4, 1))[0]
        yield (
            f'{address} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "{request}" {status} {dice.randrange(100, 90000)}'
            f' "-" "{dice.choice(_AGENTS)}"'
        )


def _json(events: int) -> Iterator[str]:
    dice = random.Random(2)
    for number in range(events):
        moment = _START + timedelta(milliseconds=20 * number)
        yield orjson.dumps(
            {
                "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
                "level": dice.choices(("INFO", "DEBUG", "WARN", "ERROR"), (80, 10, 8, 2))[0],
                "logger": "com.example.shop.checkout.CheckoutService",
                "thread": f"http-nio-8080-exec-{dice.randrange(1, 20)}",
                "message": f"{dice.choice(_TEXTS)} in {dice.randrange(900)} ms for customer {dice.randrange(10**6)}",
                "trace_id": f"{dice.getrandbits(128):032x}",
                "span_id": f"{dice.getrandbits(64):016x}",
                "order": {"id": number, "total": dice.randrange(100, 99999) / 100, "currency": "EUR"},
            }
        ).decode()


def _java(events: int) -> Iterator[str]:
    dice = random.Random(3)
    for number in range(events):
        moment = _START + timedelta(milliseconds=20 * number)
        failed = number % 20 == 0
        head = (
            f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} {'ERROR' if failed else 'INFO '} "
            f"[http-nio-8080-exec-{dice.randrange(1, 20)}] com.example.shop.CheckoutService - "
            f"{dice.choice(_TEXTS)} for customer {dice.randrange(1_000_000)}"
        )
        if failed:
            calls = (
                f"\tat com.example.shop.Step{n}.run(Step{n}.java:{dice.randrange(400)})" for n in range(_TRACE - 1)
            )
            head = "\n".join((head, "java.lang.IllegalStateException: no stock", *calls))
        yield head


WORKLOADS: Final = (
    Workload("W1", 2_000_000, _nginx),
    Workload("W2", 1_000_000, _json),
    Workload("W3", 250_800, _java),
)
