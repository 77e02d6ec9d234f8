"""Syslog over TLS: who is taken, and certificates that cannot be used."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError
from receiver import Receiver, nothing, send_tcp
from structlog.testing import capture_logs

from logintel.inputs.sockets import ListenConfig
from logintel.refused import Refused

TLS = Path(__file__).parent / "data" / "tls"


def client_tls(certificate: str | None = None) -> ssl.SSLContext:
    """A client that trusts the test's authority and may show a certificate."""
    context = ssl.create_default_context(cafile=TLS / "ca.pem")
    if certificate:
        context.load_cert_chain(TLS / certificate)
    return context


def test_syslog_over_tls() -> None:
    receiver = Receiver("tls://127.0.0.1:0", tls={"cert": TLS / "server.pem"})
    lines = [f"<34>1 2026-11-22T10:00:00Z host app - - - message {n}".encode() for n in range(3000)]

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls())
        writer.write(b"".join(b"%d %b" % (len(line), line) for line in lines))
        await writer.drain()
        writer.close()
        await receiver.until(lambda: len(receiver.events) == 3000)

    receiver.serve(client)
    assert [text.encode() for text in receiver.texts] == lines


def test_tls_takes_only_clients_of_the_authority_it_was_given() -> None:
    receiver = Receiver("tls://127.0.0.1:0", tls={"cert": TLS / "server.pem", "client_ca": TLS / "ca.pem"})

    async def client() -> None:
        await send_tcp(receiver.port, b"in the clear\n")
        reader, stranger = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls())
        stranger.write(b"without a certificate\n")
        with pytest.raises(OSError, match=r"CERTIFICATE_REQUIRED|reset|closed"):  # TLS 1.3 tells it at the first read
            raise OSError("closed") if await reader.read(1) == b"" else AssertionError
        _, known = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls("client.pem"))
        known.write(b"known\n")
        await receiver.until(lambda: len(receiver.events) == 1)
        known.close()

    with capture_logs() as logs:
        receiver.serve(client)
    assert receiver.texts == ["known"]
    assert [log["event"] for log in logs].count("connection_refused") == 2


def test_a_certificate_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "garbage.pem").write_text("no certificate")
    for file, part in (("garbage.pem", "PEM"), ("missing.pem", "No such file")):
        with pytest.raises(Refused, match=f"(?s){part}.*{file}|{file}.*{part}"):
            Receiver("tls://127.0.0.1:0", tls={"cert": tmp_path / file}).serve(nothing)


def test_tls_keys_and_addresses_belong_together() -> None:
    with pytest.raises(ValidationError, match="needs `tls:"):
        ListenConfig(name="net", type="application", listen=("tls://127.0.0.1:0",))
    with pytest.raises(ValidationError, match="there is none in `listen`"):
        Receiver("tcp://127.0.0.1:0", tls={"cert": TLS / "server.pem"})
