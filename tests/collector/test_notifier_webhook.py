"""Notifications reach a real HTTP server through the outbox, whatever the server does in between."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from logintel_collector.alert import Alert, Changes, Notification
from logintel_collector.notifier.channel import channels_from
from logintel_collector.notifier.config import WebhookConfig
from logintel_collector.notifier.relay import Relay
from logintel_collector.processor import Processed
from logintel_collector.rules.episode import notification
from logintel_collector.stores.sqlite import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROS = int(NOW.timestamp()) * 10**6


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses that it is told, then 200; a None waits longer than anyone would."""

    def __init__(self, *answers: int | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.requests: list[tuple[Message, dict[str, Any]]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer is None:
            self.server.released.wait(10)
            return
        self.send_response(answer)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Nothing: tests read `requests`."""


@contextmanager
def receiver(*answers: int | None) -> Iterator[Receiver]:
    server = Receiver(*answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def alert(number: int) -> Alert:
    return Alert(
        id=f"alert-{number}", title="failed logins", description="", severity="HIGH", status="OPEN", source_id=None,
        log_entry_id=None, rule_id="rule", triggered_at="2026-03-01T11:59:00.000000Z", metadata={"reason": "4 events"},
    )  # fmt: skip


@asynccontextmanager
async def outbox_with(path: Path, *made: Notification) -> AsyncIterator[Store]:
    store = await Store.open(path / "logintel.sqlite")
    try:
        changes = Changes(alerts=[alert(number) for number in range(len(made))], notifications=list(made))
        await store.apply(Processed(), changes, 0)
        yield store
    finally:
        await store.close()


def told(number: int, age: timedelta = timedelta(0)) -> Notification:
    return notification(alert(number), "opened", 1, MICROS - age // timedelta(microseconds=1))


async def run_until(relay: Relay, done: Callable[[], Awaitable[bool]], seconds: float = 8.0) -> None:
    """Run the relay until `done()`; then a little longer, to see what it does too much."""
    task = asyncio.create_task(relay.run())
    try:
        async with asyncio.timeout(seconds):
            while not await done():
                await asyncio.sleep(0.01)
                relay.wake()
        await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def finished(relay: Relay) -> None:
    """Everything that is due is tried once."""
    relay.finish()
    await relay.run()


def relay_to(store: Store, *configs: WebhookConfig) -> Relay:
    started = time.monotonic()
    return Relay(store, channels_from(configs), lambda: NOW + timedelta(seconds=time.monotonic() - started), base=0.01)


def webhook(url: str, **more: Any) -> WebhookConfig:
    return WebhookConfig.model_validate({"type": "webhook", "url": url, **more})


async def is_pending(store: Store, config: WebhookConfig) -> bool:
    at = (NOW + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return bool(await store.pending(config.channel, at, 10))


def test_a_server_that_recovers_gets_it_once_more_and_then_never_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        with receiver(500, 503) as server:
            config = webhook(server.url, headers={"Authorization": "Bearer s3cret"})
            async with outbox_with(tmp_path, told(0)) as store:

                async def done() -> bool:
                    return not await is_pending(store, config)

                with capture_logs() as logs:
                    await run_until(relay_to(store, config), done)
        assert [body["alert"]["id"] for _, body in server.requests] == ["alert-0"] * 3
        assert {headers["Idempotency-Key"] for headers, _ in server.requests} == {told(0).id}
        assert {headers["Authorization"] for headers, _ in server.requests} == {"Bearer s3cret"}
        failures = [entry for entry in logs if entry["event"] == "notification_failed"]
        assert [(entry["attempts"], entry["reason"]) for entry in failures] == [(1, "HTTP 500"), (2, "HTTP 503")]
        assert "s3cret" not in str(logs)

    asyncio.run(scenario())


def test_a_server_that_does_not_answer_is_left_after_the_timeout(tmp_path: Path) -> None:
    async def scenario() -> None:
        with receiver(None) as server:
            config = webhook(server.url, timeout="100ms")
            async with outbox_with(tmp_path, told(0)) as store:

                async def done() -> bool:
                    return not await is_pending(store, config)

                with capture_logs() as logs:
                    await run_until(relay_to(store, config), done)
        assert len(server.requests) == 2
        assert "no answer within 0.1 s" in [entry.get("reason") for entry in logs]

    asyncio.run(scenario())


def test_a_dead_channel_neither_blocks_nor_loses_what_the_others_tell(tmp_path: Path) -> None:
    async def scenario() -> None:
        with receiver() as gone:
            dead = webhook(gone.url)
        with receiver() as server:
            live = webhook(server.url)
            async with outbox_with(tmp_path, *(told(number) for number in range(20))) as store:

                async def done() -> bool:
                    return not await is_pending(store, live)

                with capture_logs() as logs:
                    await run_until(relay_to(store, dead, live), done)
                assert len(await store.pending(dead.channel, "2026-03-03T00:00:00.000000Z", 100)) == 20
        assert sorted(body["alert"]["id"] for _, body in server.requests) == sorted(f"alert-{n}" for n in range(20))
        assert len([entry for entry in logs if entry["event"] == "alert"]) == 20

    asyncio.run(scenario())


def test_what_could_not_be_told_for_a_day_is_given_up_loudly(tmp_path: Path) -> None:
    async def scenario() -> None:
        with receiver(*[500] * 50) as server:
            config = webhook(server.url)
            async with outbox_with(tmp_path, told(0, timedelta(hours=24)), told(1)) as store:
                with capture_logs() as logs:
                    await finished(relay_to(store, config))
                left = await store.pending(config.channel, "2026-03-03T00:00:00.000000Z", 10)
        assert [(each.notification.alert_id, each.attempts) for each in left] == [("alert-1", len(server.requests) - 1)]
        given_up = [entry for entry in logs if entry["event"] == "notification_given_up"]
        assert [(entry["alert_id"], entry["log_level"]) for entry in given_up] == [("alert-0", "error")]

    asyncio.run(scenario())


def test_finishing_tells_what_is_due_and_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        with receiver() as server:
            async with outbox_with(tmp_path, *(told(number) for number in range(20))) as store:
                with capture_logs() as logs:
                    await finished(relay_to(store, webhook(server.url)))
        assert len(server.requests) == 20
        shown = next(entry for entry in logs if entry["event"] == "alert")
        assert (shown["severity"], shown["title"], shown["reason"]) == ("HIGH", "failed logins", "4 events")

    asyncio.run(scenario())


@pytest.mark.parametrize("header", ["Bad Name", "new\nline", ""])
def test_a_header_that_http_cannot_carry_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="headers"):
        webhook("https://example.org/hook", headers={header: "x"})
