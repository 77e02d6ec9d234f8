"""The HTTP Event Collector under pressure: a full spool, large bodies, heads without end, many connections."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from hec_collector import EVENT, HEALTH, SUCCESS, TOKEN, Collecting, run

from logintel_splunk import bodies, server


def test_a_full_spool_is_503_with_nothing_kept_and_health_says_so() -> None:
    async def work(running: Collecting) -> None:
        assert (await running.client.get(HEALTH)).status_code == 200
        running.refusals = 1
        answer = await running.client.post(EVENT, content='{"event":"a"}', headers={"Authorization": f"Splunk {TOKEN}"})
        assert (answer.status_code, answer.json()) == (503, {"text": "Server is busy", "code": 9})
        assert int(answer.headers["retry-after"]) > 0
        assert running.kept == []
        health = await running.client.get(HEALTH)
        assert (health.status_code, health.json()["code"]) == (503, 18)
        assert await running.post('{"event":"a"}') == SUCCESS
        health = await running.client.get(f"{HEALTH}/1.0")
        assert (health.status_code, health.json()) == (200, {"text": "HEC is healthy", "code": 17})

    assert run(work).texts == ["a"]


def test_health_looks_at_a_token_that_is_named() -> None:
    async def work(running: Collecting) -> None:
        for token, status, code in ((TOKEN, 200, 17), ("wrong", 400, 21), ("off", 400, 22)):
            answer = await running.client.get(HEALTH, params={"token": token})
            assert (answer.status_code, answer.json()["code"]) == (status, code)

    run(work, tokens=[{"token": TOKEN, "name": "shop"}, {"token": "off", "name": "off", "enabled": False}])


def test_a_request_with_more_than_a_step_waits_for_room_once_it_is_begun() -> None:
    body = "".join(f'{{"event":"{n}"}}' for n in range(2500))

    async def work(running: Collecting) -> None:
        taken = running.accept

        async def refuse_the_second(events: Any) -> None:
            running.refusals = 1 if len(running.kept) == 1000 and not running.asked.is_set() else 0
            await taken(events)
            running.asked.clear()

        running.accept = refuse_the_second  # type: ignore[method-assign]
        assert await running.post(body) == SUCCESS

    assert run(work).texts == [str(n) for n in range(2500)]


def test_bounds_hold_for_what_is_sent_and_for_what_it_unzips_to() -> None:
    large = (413, {"text": "Request entity too large", "code": 27})
    bomb = gzip.compress(b'{"event":"' + b"x" * 50_000_000 + b'"}')
    fits = json.dumps({"event": "y" * 900})

    async def work(running: Collecting) -> None:
        zipped = {"Content_Encoding": "gzip"}
        assert await running.post("x" * 2000) == large
        assert await running.post(bomb[:1024], **zipped) != SUCCESS
        assert await running.post(gzip.compress(b'{"event":"' + b"x" * 2000 + b'"}'), **zipped) == large
        assert (await running.post(b"no gzip", **zipped))[1]["code"] == 6
        assert (await running.post(gzip.compress(fits.encode())[:-9], **zipped))[1]["code"] == 6
        assert (await running.post(fits, Content_Encoding="br"))[0] == 415
        assert await running.post(gzip.compress(fits.encode()) + gzip.compress(b'{"event":"z"}'), **zipped) == SUCCESS

    assert run(work, max_content="1KiB").texts == ["y" * 900, "z"]


async def talk(port: int, *parts: bytes) -> bytes:
    """What a connection answers until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        received = await reader.read()
    except ConnectionError:
        pass  # it was closed while we spoke
    writer.close()
    return received


def test_a_head_without_end_is_not_collected() -> None:
    head = b"POST /services/collector HTTP/1.1\r\nHost: x\r\n"

    async def work(running: Collecting) -> None:
        for endless in (b"X: " + b"y" * 200_000, b"X: y\r\n" * 40_000):
            async with asyncio.timeout(30):
                received = await talk(running.port, head, endless)
            assert not received or received.startswith(b"HTTP/1.1 400"), received
        trailing = head + f"Authorization: Splunk {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".encode()
        async with asyncio.timeout(30):
            await talk(running.port, trailing, b"X: " + b"y" * 200_000)
        assert await running.post('{"event":"a"}') == SUCCESS

    assert run(work).texts == ["a"]


def test_a_sender_that_does_not_get_on_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a silent connection, half a head, a head again after a request, or half a body; a slow disk is no fault of
    its."""
    monkeypatch.setattr(server, "_HEAD_SECONDS", 2.0)
    monkeypatch.setattr(server, "_LOOK", 0.1)
    monkeypatch.setattr(bodies, "_PATIENCE", 2.0)
    head = f"POST /services/collector HTTP/1.1\r\nHost: x\r\nAuthorization: Splunk {TOKEN}\r\nContent-Length: 13\r\n"

    async def after_a_request(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b'"code":17}')
        writer.write(b"POST /serv")
        left = await reader.read()
        writer.close()
        return left

    async def work(running: Collecting) -> None:
        running.disk.clear()
        sending = asyncio.ensure_future(running.post('{"event":"a"}'))
        await running.asked.wait()
        async with asyncio.timeout(60):
            silent, half, again, body = await asyncio.gather(
                talk(running.port),
                talk(running.port, b"POST /serv"),
                after_a_request(running.port),
                talk(running.port, f"{head}Connection: close\r\n\r\n{{".encode()),
            )
        assert (silent, half, again) == (b"", b"", b"")
        assert body.startswith(b"HTTP/1.1 408 ")
        running.disk.set()
        assert await sending == SUCCESS

    assert run(work).texts == ["a"]


def test_connections_over_the_limit_are_closed() -> None:
    async def work(running: Collecting) -> None:
        async with asyncio.timeout(30):
            held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
            assert await talk(running.port) == b""
        for _, writer in held:
            writer.close()

    run(work, max_connections=2)


def test_requests_over_the_limit_are_sent_away_and_the_others_kept() -> None:
    body = b'{"event":"a"}'
    request = f"POST /services/collector HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Splunk {TOKEN}\r\n"
    sent = f"{request}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def work(running: Collecting) -> None:
        running.disk.clear()
        waiting = [asyncio.ensure_future(talk(running.port, sent)) for _ in range(512)]
        busy = b""
        async with asyncio.timeout(60):
            while b"Server is busy" not in busy:
                probe = asyncio.ensure_future(talk(running.port, sent))
                await asyncio.wait({probe}, timeout=0.1)
                if probe.done():
                    busy = probe.result()
                else:
                    waiting.append(probe)
            running.disk.set()
            answers = await asyncio.gather(*waiting)
        assert sum(b"200 OK" in answer for answer in answers) == len(running.kept) == 512

    run(work)
