"""sap-trace: developer traces (dev_w0, dev_disp, dev_icm, dev_rfc.trc …) of the SAP kernel, and the ICM's security log.

A time stands on a line of its own and holds for the lines behind it, in a program with threads for those of its thread.
So a record is a time line with all that follows it: several events, which a replay dates alike. The kernel marks lines
with `*** ERROR =>`, `*** WARNING =>` and `***LOG id=>` (which is an entry of the system log too).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StartPattern
from logintel.timestamps import Clock, clock
from logintel_sap.trace_lines import TIME_LINE, Entry, entries, numbered

#: Characters of a record: lines that go on for longer without a time are dated by the event before them.
LONGEST: Final = 128 * 1024
_LEVELS: Final[dict[str, Level]] = {"ERROR": "ERROR", "WARNING": "WARN"}
#: `[dpxxwp.c     1353]` at the end of a message.
_POSITION: Final = re.compile(r"\[(?P<file>[\w./-]{1,80}) +(?P<line>[0-9]{1,7}) *\]$")
_HEADER: Final = re.compile(r'trc file: "([^"]*)", trc level: ([0-9]+), release: "([^"]*)"')
#: In front of the header's lines in a work process.
_LETTER: Final = re.compile(r"^[A-Z] (?=[a-z]{3,10} )")
#: Lines of the header, and their names in metadata.
_SYSTEM: Final = {
    "sysno": "sap_instance_number", "sid": "sap_sid", "systemid": "system_id", "relno": "release_number",
    "patchlevel": "patch_level", "patchno": "patch_number", "intno": "internal_number", "make": "make",
    "profile": "profile", "pid": "pid",
}  # fmt: skip
#: What a network error's lines are; ERROR and DETAIL make the message, LINE is a parsed field.
_NETWORK: Final = {
    "LOCATION": "location", "RELEASE": "release", "COMPONENT": "component", "VERSION": "version", "RC": "rc",
    "MODULE": "file", "DETAIL": "detail", "COUNTER": "counter", "SYSTEM": "system_call", "ERRNO": "errno",
}  # fmt: skip
_INTEGERS: Final = frozenset(("RC", "COUNTER", "ERRNO"))


class DeveloperTraceFormat(Format):
    name: ClassVar[str] = "sap-trace"

    def framer(self) -> Framer:
        return StartPattern(TIME_LINE, max_characters=LONGEST)

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> tuple[Event, ...] | None:
    lines = record.split("\n")
    time = TIME_LINE.match(lines[0])
    stamp = instant.text(time["time"] or time["opened"]) if time else None
    if time is None or stamp is None:
        return tuple(_event(entry, None, instant) for entry in entries(lines)) or None
    thread = time["thread"]
    found = entries(lines[1:]) or [Entry("time", [], [lines[0].strip()], thread)]
    events = tuple(
        _event(entry, stamp if thread in (None, entry.thread) or entry.thread is None else None, instant)
        for entry in found
    )
    events[0].raw = f"{lines[0]}\n{events[0].raw}" if events[0].raw else lines[0]
    return events


def _event(entry: Entry, stamp: str | None, instant: Clock) -> Event:
    event = Event("\n".join(entry.raw), "\n".join(entry.text).strip(), stamp, "INFO", format=DeveloperTraceFormat.name)
    if entry.thread:
        event.fields["thread"] = entry.thread
    if entry.component:
        event.metadata["component"] = entry.component
    if entry.kind == "network_error":
        _take_network_error(event, entry, instant)
    elif entry.kind == "plain":
        _take_header(event, entry)
    elif entry.kind in ("mark", "log", "security"):
        _take_mark(event, entry)
    return event


def _take_mark(event: Event, entry: Entry) -> None:
    if entry.kind == "log":
        event.metadata["syslog_id"] = entry.word
        event.tags.append(entry.word)
    else:
        event.level = _LEVELS[entry.word]
    if position := _POSITION.search(event.message):
        event.message = event.message[: position.start()].rstrip()
        event.metadata["file"] = position["file"]
        event.fields["line_number"] = int(position["line"])
    if entry.dump:
        event.metadata["dump"] = "\n".join(entry.dump)


def _take_header(event: Event, entry: Entry) -> None:
    if header := _HEADER.search(event.message):
        event.metadata |= {"trc_file": header[1], "trc_level": int(header[2]), "release": header[3]}
    lines = [_LETTER.sub("", line) for line in entry.text]
    if not any(line.startswith(("relno ", "sysno ")) for line in lines):
        return
    for name, value in numbered(lines):
        if name in _SYSTEM:
            event.metadata[_SYSTEM[name]] = value


def _take_network_error(event: Event, entry: Entry, instant: Clock) -> None:
    values = dict(numbered(entry.text))
    event.level = "ERROR"
    event.message = ": ".join(values[name] for name in ("ERROR", "DETAIL") if values.get(name)) or event.message
    event.timestamp = instant.text(values.get("TIME", "")) or event.timestamp
    for name, value in values.items():
        if name in _INTEGERS and re.fullmatch(r"-?[0-9]{1,9}", value):
            event.metadata[_NETWORK[name]] = int(value)
        elif name in _NETWORK:
            event.metadata[_NETWORK[name]] = value
    if values.get("LINE", "").isdecimal():
        event.fields["line_number"] = int(values["LINE"][:9])
