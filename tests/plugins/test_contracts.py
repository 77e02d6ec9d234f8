"""The built-in sources keep the contracts that any plugin's source has to keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import hec_collector
import httpx
from sap_records import audit_record

from logintel.source import Source, SourceContext
from logintel.testing import PushedContract, ReplayableContract
from logintel_application.source import ApplicationSource
from logintel_custom.source import CustomSource
from logintel_devstack.ports import free_port
from logintel_sap.source import SapSource

#: Of a thousand characters each: several blocks of the file reader.
LINES = 700


class TestApplicationFiles(ReplayableContract):
    """Two files, one with stack traces, one with damage, an overlong line's neighbour and a last line without an end."""

    def source(self, directory: Path, context: SourceContext) -> Source:
        config = ApplicationSource.Config(
            name="a", type="application", paths=(str(directory / "*.log"),), timezone="UTC"
        )
        return ApplicationSource(config, context)

    def fill(self, directory: Path) -> Collection[str]:
        traced = [
            f"2026-01-02 03:04:05,{n % 1000:03d} ERROR [main] a.B - failed {n} {'x' * 900}\n\tat a.B.c(B.java:{n})"
            for n in range(LINES)
        ]
        odd = [*(f"line {n} \\xff{'y' * 900}" for n in range(LINES)), "no end"]
        (directory / "traced.log").write_text("\n".join(traced) + "\n")
        (directory / "odd.log").write_bytes(
            "\n".join(odd).replace("\\xff", "\udcff").encode("utf-8", "surrogateescape")
        )
        return [*traced, *odd]


class TestCustomFiles(ReplayableContract):
    """Statements that end with a semicolon; some are of no layout."""

    def source(self, directory: Path, context: SourceContext) -> Source:
        keys: dict[str, Any] = {"record_end": ";$", "format": {"pattern": r"(?s)(?P<n>\d+) (?P<message>.*);"}}
        config = CustomSource.Config(name="c", type="custom", paths=(str(directory / "sql.log"),), **keys)
        return CustomSource(config, context)

    def fill(self, directory: Path) -> Collection[str]:
        records = [f"{n if n % 7 else 'x'} SELECT {'z' * 900}\nFROM t{n};" for n in range(LINES)]
        (directory / "sql.log").write_text("\n\n".join(records) + "\n")
        return records


class TestSapFiles(ReplayableContract):
    """An audit file of fixed records in UTF-16, some of no layout, and a trace whose records hold several events."""

    def source(self, directory: Path, context: SourceContext) -> Source:
        paths = (str(directory / "*.aud"), str(directory / "dev_*"))
        return SapSource(SapSource.Config(name="e", type="sap", paths=paths, timezone="UTC"), context)

    def fill(self, directory: Path) -> Collection[str]:
        records = [audit_record("AU3", f"T{n}") if n % 9 else f"{n:x>200}" for n in range(1, 2 * LINES)]
        (directory / "a.aud").write_bytes("".join(records).encode("utf-16-be"))
        blocks = [
            (
                f"C Wed Dec 29 13:{n // 60:02}:{n % 60:02} 2010\nC  *** ERROR => {n} {'x' * 900}\n[a.c {n}]",
                f"M  then {n}",
            )
            for n in range(LINES)
        ]
        (directory / "dev_w0").write_text("".join(f"{error}\n{then}\n\n" for error, then in blocks))
        return [*(record.rstrip() for record in records), *(text for block in blocks for text in block)]


class TestApplicationSockets(PushedContract):
    """Syslog over TCP, which has no answers."""

    answers: ClassVar[bool] = False

    @cached_property
    def port(self) -> int:
        return free_port(())

    def source(self, context: SourceContext) -> Source:
        listen = (f"tcp://127.0.0.1:{self.port}",)
        return ApplicationSource(ApplicationSource.Config(name="s", type="application", listen=listen), context)

    async def send(self, records: Sequence[str]) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("".join(f"{record}\n" for record in records).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def records(self) -> Sequence[str]:
        return [*(f"<13>1 2026-01-02T03:04:05Z h app {n} - - text" for n in range(300)), "<999> no priority", "{", "<"]


class TestSplunkCollector(PushedContract):
    """HTTP Event Collector, a request an event; the client tries again while it is told that the server is busy."""

    @cached_property
    def port(self) -> int:
        return free_port(())

    def source(self, context: SourceContext) -> Source:
        return hec_collector.source(self.port, context)

    async def send(self, records: Sequence[str]) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
            await asyncio.gather(*(self._send(client, record) for record in records))

    async def _send(self, client: httpx.AsyncClient, record: str) -> None:
        headers = {"Authorization": f"Splunk {hec_collector.TOKEN}"}
        status = 503
        while status == 503:
            body = json.dumps({"event": record})
            status = (await client.post(hec_collector.EVENT, content=body, headers=headers)).status_code
        assert status == 200

    def records(self) -> Sequence[str]:
        return [*(f"2026-01-02 03:04:05 INFO order {n}" for n in range(50)), '{"a":', "}{", "\ud800", "<", "\0"]
