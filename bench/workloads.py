"""The workloads: W1 nginx access lines, W2 JSON lines, W3 Java lines with traces; the same bytes on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import orjson

_START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
#: Milliseconds between two events, at most; half of it on average.
_PAUSE: Final = 40
_PATHS: Final = (
    "/",
    "/cart",
    "/login",
    "/api/v1/orders",
    "/api/v1/products/search",
    "/static/js/app.js",
    "/images/logo.png",
)
_REFERRERS: Final = ("-", "-", "-", "https://www.example.com/")
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "kube-probe/1.32",
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


def _moments(dice: random.Random, events: int) -> Iterator[datetime]:
    moment = _START
    for _ in range(events):
        yield moment
        moment += timedelta(milliseconds=dice.randrange(_PAUSE + 1))


def _nginx(events: int) -> Iterator[str]:
    """nginx's predefined log_format `combined` (ngx_http_log_module); 192 bytes with the line end on average."""
    dice = random.Random(1)
    for moment in _moments(dice, events):
        address = f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}"
        path = f"{dice.choice(_PATHS)}?category={dice.randrange(20):02d}"
        status = dice.choices((200, 304, 404, 500), (90, 5, 4, 1))[0]
        agent = dice.choices(_AGENTS, (43, 32, 20, 5))[0]
        yield (
            f"{address} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "
            f'"{dice.choice(("GET", "GET", "GET", "POST"))} {path} HTTP/1.1" {status} {dice.randrange(100, 90000)} '
            f'"{dice.choice(_REFERRERS)}" "{agent}"'
        )


def _json(events: int) -> Iterator[str]:
    """One JSON object a line, as a structured logger writes it; 354 bytes with the line end on average."""
    dice = random.Random(2)
    for number, moment in enumerate(_moments(dice, events)):
        yield orjson.dumps(
            {
                "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
                "level": dice.choices(("INFO", "DEBUG", "WARN", "ERROR"), (80, 10, 8, 2))[0],
                "logger": "com.example.shop.checkout.CheckoutService",
                "thread": f"http-nio-8080-exec-{dice.randrange(1, 20)}",
                "message": f"{dice.choice(_TEXTS)} in {dice.randrange(900)} ms for customer {dice.randrange(10**6)}",
                "trace_id": f"{dice.getrandbits(128):032x}",
                "span_id": f"{dice.getrandbits(64):016x}",
                "service": "checkout",
                "order": {"id": 10**9 + number, "total": dice.randrange(100, 99999) / 100, "currency": "EUR"},
            }
        ).decode()


def _java(events: int) -> Iterator[str]:
    """Logback's usual pattern; every 20th event has a trace of 20 lines."""
    dice = random.Random(3)
    for number, moment in enumerate(_moments(dice, events)):
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
