"""The samples of SAP's logs: every record that their manifest expects comes out of the sap source, with its values.

Run by `make corpus`, which says in SAMPLES where the samples are. A key of the manifest that is not known here fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logintel.event import Event
from logintel.hooks import load_plugins
from logintel.source import InputExhausted, SourceContext
from logintel_sap.source import SapConfig, SapSource

SAMPLES = Path(os.environ["SAMPLES"])
#: Other things than log files: answers of interfaces, and JSON.
ELSEWHERE = (".json", ".jsonl", ".xml", ".yaml", ".txt")
FILES = {
    each["file"]: each
    for each in json.loads((SAMPLES / "manifest.json").read_text("utf-8"))["files"]
    if each["file"].startswith("sap/") and not each["file"].endswith(ELSEWHERE)
}
#: The server's zone where the manifest names one, and the LOGFORMAT that its profile had.
SETTINGS: dict[str, dict[str, str]] = {
    "sap/dev_rfc.trc": {"timezone": "America/Chicago"},
    "sap/asjava_list13.log": {"timezone": "America/Los_Angeles"},
    "sap/icm_access_custom.log": {"logformat": "%b %h %H %S %a %l %u %t %T Line=%r %f %U %s %{user-agent}i"},
}
FIELDS = ("thread", "line_number", "service", "class", "method", "host")
#: Manifest's name → ours, by the file's beginning; "" for all. A field's name is ours too.
NAMES: dict[str, dict[str, str]] = {
    "": {"wp": "thread", "tcode": "transaction", "variable_data": "variables", "app_user": "application_user"},
    "hana_indexserver": {"category": "class", "class": "file"},
    "hana_audit": {"sid": "sap_sid", "instance": "sap_instance_number", "port": "server_port"},
    "icm": {"client": "client_ip", "method": "http_method", "port": "server_port", "host": "server_host"},
}
HEADER = {"sid": "sap_sid", "instance": "sap_instance_number", "pattern": "formatter"}


def events_of(name: str) -> Sequence[Event]:
    keys: dict[str, Any] = {"timezone": "UTC", **SETTINGS.get(name, {})}
    config = SapConfig(name="s", type="sap", paths=(str(SAMPLES / name),), **keys)
    source = SapSource(config, SourceContext(once=True, formats=load_plugins().formats))

    async def read() -> list[Event]:
        found: list[Event] = []
        with suppress(InputExhausted):
            async for batch in source.batches({}):
                found += batch.events
        return found

    return asyncio.run(read())


def value_of(event: Event, name: str, file: str) -> Any:
    """What the event has under the manifest's name."""
    ours = NAMES[""].get(name, name)
    for beginning, names in NAMES.items():
        if beginning and file.startswith(f"sap/{beginning}"):
            ours = names.get(name, ours)
    if ours in FIELDS:
        return event.fields.get(ours)
    return event.metadata.get(ours)


def moment(text: str, zone: ZoneInfo) -> str:
    """The manifest's stamp, without what it says about it, as an event has it."""
    stamp = datetime.fromisoformat(re.split(r" \(", text)[0])
    return f"{stamp.replace(tzinfo=stamp.tzinfo or zone).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


CHECKS: Mapping[str, Callable[[Event, Any], bool]] = {
    "level": lambda event, value: event.level == value,
    "message": lambda event, value: event.message == value,
    "message_starts": lambda event, value: event.message.startswith(value),
    "statement_starts": lambda event, value: str(event.metadata["statement"]).startswith(value),
    "message_lines": lambda event, value: event.message.count("\n") + 1 == value,
    "stack_trace_lines": lambda event, value: str(event.fields["stack_trace"]).count("\n") + 1 == value,
    "attached_lines": lambda event, value: str(event.metadata["dump"]).count("\n") + 1 == value,
}


def fits(event: Event, expected: Mapping[str, Any], file: str) -> bool:
    zone = ZoneInfo(SETTINGS.get(file, {}).get("timezone", "UTC"))
    for name, value in expected.items():
        if name == "timestamp":
            if event.timestamp != (moment(value, zone) if value else None):
                return False
        elif name == "line":
            lines = (SAMPLES / file).read_text("utf-8").split("\n")
            if lines[value - 1] not in event.raw.split("\n"):
                return False
        elif name in CHECKS:
            if not CHECKS[name](event, value):
                return False
        elif name not in ("logformat", "pattern") and said(value_of(event, name, file)) != said(value):
            return False
    return True


def said(value: Any) -> str:
    return "" if value in (None, "") else str(value)


def of_the_file(events: Sequence[Event], expected: Mapping[str, Any], file: str) -> None:
    """What is expected of the file, not of one record."""
    every = {name: value for event in reversed(events) for name, value in event.metadata.items()}
    for name, value in expected.items():
        if name == "header":
            found = {key: str(every[HEADER.get(key, key)]) for key in value}
            assert found == {key: str(each) for key, each in value.items()}
        elif name == "first_warning":
            assert fits(next(event for event in events if event.level == "WARN"), value, file)
        elif name == "last_line":
            assert fits(events[-1], value, file)
        elif name == "ccms_lines":
            assert sum(event.message.count("CCMS:") for event in events) == value
        elif name == "pattern":
            assert value in str(every["formatter"])


OF_THE_FILE = {"header", "first_warning", "last_line", "ccms_lines"}


@pytest.mark.parametrize("file", FILES)
def test_every_expected_record_comes_out(file: str) -> None:
    events = events_of(file)
    assert [event.raw for event in events if "_unparsed" in event.tags] == []
    left = iter(events)
    for expected in FILES[file]["expected"]:
        of_the_file(events, expected, file)
        if not expected.keys() & OF_THE_FILE:
            assert any(fits(event, expected, file) for event in left), f"{expected} is not there, or not in its order"


def test_the_security_audit_log_is_the_same_in_every_encoding() -> None:
    said = [
        [(event.raw, event.timestamp, event.message) for event in events_of(name)] for name in FILES if "sal_" in name
    ]
    assert len(said) == 3
    assert said[0] == said[1] == said[2]
    assert len(said[0]) == 8
