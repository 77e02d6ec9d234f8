"""The HTTP Event Collector's address, certificate and configuration."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from hec_collector import EVENT, TOKEN, Collecting, collecting, run, source
from pydantic import ValidationError

from logintel.refused import Refused
from logintel_devstack.ports import free_port

TLS = Path(__file__).parents[1] / "core/data/tls"


def test_over_tls_with_certificates_of_both_sides() -> None:
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    context.check_hostname = False

    async def work(running: Collecting) -> None:
        with pytest.raises(httpx.TransportError):
            await running.post('{"event":"nobody"}')
        context.load_cert_chain(TLS / "client.pem")
        _, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        body = b'{"event":"a"}'
        writer.write(b"POST /services/collector HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        writer.write(f"Authorization: Splunk {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        async with asyncio.timeout(30):
            while not running.kept:
                await asyncio.sleep(0.01)
        writer.close()

    tls = {"cert": TLS / "server.pem", "client_ca": TLS / "ca.pem"}
    assert run(work, tls=tls).texts == ["a"]


def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    async def work(running: Collecting) -> None:
        with pytest.raises(
            Refused, match=f"cannot listen on tcp://127.0.0.1:{running.port}: Address already in use: stop"
        ):
            await source(running.port).serve(running.accept)

    run(work)


def test_a_stop_tells_the_sender_what_was_not_kept_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def stop() -> tuple[int, str]:
        async with collecting() as running:
            running.disk.clear()
            headers = {"Authorization": f"Splunk {TOKEN}"}
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", timeout=60) as client:
                sending = asyncio.ensure_future(client.post(EVENT, content='{"event":"a"}', headers=headers))
                await running.asked.wait()
                await running.stop()
                return (await sending).status_code, (await sending).text

    assert asyncio.run(stop()) == (503, '{"text":"Server is shutting down","code":23}')
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tokens": []}, "anonymous: true"),
        ({"spool": {"when_full": "drop_newest"}}, "leave it out"),
        ({"anonymous": True, "tokens": [{"token": "a", "name": "a"}]}, "anonymous: true"),
        ({"tokens": [{"token": "a", "name": "a"}, {"token": "a", "name": "b"}]}, "same token"),
        ({"tokens": [{"token": "a", "name": "a"}, {"token": "b", "name": "a"}]}, "same name"),
        ({"tokens": [{"token": "a", "name": "a", "indexes": ["x"], "index": "y"}]}, "add it there"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        source(free_port(()), **keys)
    assert "token='a'" not in repr(refused.value)
