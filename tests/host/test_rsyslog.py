"""rsyslog (Debian: rsyslog) forwards to us by every framing that it has; what it forwards arrives whole and once."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from receiver import Receiver

from logintel.event import Event

LINES = 3000
_CONFIG = """\
global(workDirectory="{work}")
module(load="imfile" mode="inotify")
input(type="imfile" file="{work}/app.log" tag="shop:" severity="warning" facility="local3" reopenOnTruncate="on")
action(type="omfwd" target="127.0.0.1" port="{port}" {way} {template})
"""
TEMPLATES = {
    "as it is": "",
    "RSYSLOG_ForwardFormat": 'template="RSYSLOG_ForwardFormat"',
    "RFC 5424": 'template="RSYSLOG_SyslogProtocol23Format"',
}
WAYS = {
    "lines": 'protocol="tcp"',
    "octet-counted": 'protocol="tcp" TCP_Framing="octet-counted"',
    "datagrams": 'protocol="udp"',
}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("way", WAYS)
def test_what_rsyslog_forwards_arrives_whole_and_once(way: str, template: str, tmp_path: Path) -> None:
    receiver = Receiver("udp://127.0.0.1:0" if way == "datagrams" else "tcp://127.0.0.1:0")
    messages = [f"order {n} of 'größe' [a=\"b\"] failed" for n in range(LINES)]
    (tmp_path / "app.log").write_text("".join(f"{message}\n" for message in messages))

    async def client() -> None:
        config = tmp_path / "rsyslog.conf"
        config.write_text(
            _CONFIG.format(work=tmp_path, port=receiver.port, way=WAYS[way], template=TEMPLATES[template])
        )
        rsyslog = await asyncio.create_subprocess_exec(
            "rsyslogd", "-n", "-f", str(config), "-i", str(tmp_path / "pid"), stderr=subprocess.DEVNULL
        )
        try:
            await receiver.until(lambda: len(shop(receiver)) >= LINES)
        finally:
            rsyslog.terminate()
            await rsyslog.wait()

    receiver.serve(client)
    events = shop(receiver)
    assert [event.message.strip() for event in events] == messages
    assert {(event.level, event.metadata["facility"], event.format) for event in events} == {
        ("WARN", "local3", "syslog")
    }
    assert receiver.input.dropped == 0


def shop(receiver: Receiver) -> list[Event]:
    """The events of the file; rsyslog sends a few of its own."""
    return [event for event in receiver.events if event.fields.get("service") == "shop"]
