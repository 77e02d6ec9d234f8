"""sap-java: logs of SAP's Java servers and of @sap/logging: the list formats 2.0 and 1.x, and the text of a
TraceFormatter.

List formats: SAP Logging API, "ListFormatter"; fields stand between `#`, which a backslash before it makes text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.patterns import follow
from logintel.framing import StartPattern
from logintel.levels import put_level
from logintel.timestamps import Clock, clock
from logintel_sap.java_text import START as TEXT_START
from logintel_sap.java_text import TextLayout
from logintel_sap.java_time import java_stamp

#: The severities of the SAP Logging API.
SEVERITIES: Final[dict[str, Level]] = {
    "DEBUG": "DEBUG", "PATH": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "ERROR": "ERROR", "FATAL": "FATAL",
}  # fmt: skip
_START: Final = re.compile(rf"#[0-9]\.[0-9](?:\.[0-9])?[ \x08]?#|<!--LOGHEADER\[START\]/-->|{TEXT_START}")
_VERSION: Final = re.compile(r"#([0-9])\.[0-9](?:\.[0-9])?[ \x08]?#")
_BETWEEN: Final = re.compile(r"(?<!\\)((?:\\\\)*)#")
_ESCAPED: Final = re.compile(r"\\([\\#])")
_ZONE: Final = re.compile(r"([+-])([0-9]{1,2}):?([0-9]{2})")
_HEADER: Final = re.compile(r"<!--([A-Z]{1,20})\[(.{0,500}?)\]/-->")
#: What the header's lines say.
_HEADER_NAMES: Final = {
    "LOGGINGVERSION": "logging_version", "NAME": "log_name", "PATTERN": "log_pattern", "FORMATTER": "formatter",
    "ENCODING": "log_encoding",
}  # fmt: skip
#: Fields of list format 2.0 from the sixth on, by their names in metadata; "" is put elsewhere.
_LIST_2: Final = (
    *("message_code", "csn_component", "dc_component", "guid", "correlation_id", "application", "location", "user"),
    *("session", "transaction", "root_context_id", "transaction_id", "connection_id", "connection_counter", "", ""),
    "resource_bundle",
)
_FIELDS_2: Final = 23
#: What XS advanced writes for a line end.
_XSA_LINE_END: Final = "{xsa.newlineSeparator}"
_METHOD: Final = re.compile(r"((?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$][\w$]*)\.([a-z_$<][\w$]*>?)(?:\(.*\))?")


class JavaListFormat(Format):
    """`pattern`: that of the log's TraceFormatter, as its header says it; None: the common ones."""

    name: ClassVar[str] = "sap-java"

    def __init__(self, pattern: str | None = None) -> None:
        self._text = TextLayout(pattern)

    def framer(self) -> Framer:
        return StartPattern(_START)

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self._decode(record, reading, instant) for record in records]

    def _decode(self, record: str, reading: Reading, instant: Clock) -> Event | None:
        version = _VERSION.match(record)
        if version is not None:
            fields = _fields(record[version.end() :])
            event = _list_2(record, fields, instant) if version[1] == "2" else _list_1(record, fields, reading, instant)
        elif record.startswith("<!--"):
            return _header(record)
        else:
            event = self._of_text(record, instant)
        if event is not None:
            event.format = self.name
            _take_location(event)
        return event

    def _of_text(self, record: str, instant: Clock) -> Event | None:
        parts = self._text.parts(record)
        if parts is None or (stamp := instant.text(parts["time"])) is None:
            return None
        event = Event(record, timestamp=stamp)
        _take_severity(event, parts.pop("severity", ""))
        if thread := parts.pop("thread", ""):
            event.fields["thread"] = thread
        _take_message(event, parts.pop("message", ""))
        del parts["time"]
        event.metadata |= parts
        return event


def _fields(text: str) -> list[str]:
    """Between `#` without a backslash before; each unescaped."""
    if "\\" not in text:
        return [field.strip("\r\n") for field in text.split("#")]
    pieces = _BETWEEN.split(text)  # a field's end may be backslashes that escape one another
    fields = [f"{body}{slashes}" for body, slashes in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]
    return [_ESCAPED.sub(r"\1", field).strip("\r\n") for field in fields]


def _list_2(record: str, fields: Sequence[str], instant: Clock) -> Event | None:
    """Time, zone, severity, source and so on: the fields behind the version."""
    if len(fields) < _FIELDS_2 - 1:
        return None
    time, zone = fields[0], _ZONE.fullmatch(fields[1])
    if zone is None or len(time) < 19:
        return None
    stamp = instant.text(f"{time[:10].replace(' ', '-')}{time[10:]} {zone[1]}{zone[2]:0>2}{zone[3]}")
    if stamp is None:
        return None
    event = Event(record, timestamp=stamp)
    _take_severity(event, fields[2])
    source = fields[3]
    if source:
        event.metadata["category" if source.startswith("/") else "location"] = source
    for name, value in zip(_LIST_2, fields[4:21], strict=True):
        if name and value:
            event.metadata[name] = value
    if fields[18]:
        event.fields["thread"] = fields[18]
    _take_message(event, "#".join(fields[21:]).removesuffix("#"))
    return event


def _list_1(record: str, fields: Sequence[str], reading: Reading, instant: Clock) -> Event | None:
    """1.3 and its relatives: the thread, the severity and the message have their places beside one another."""
    place = next((at for at, field in enumerate(fields) if at > 3 and field.upper() in SEVERITIES), None)
    if place is None or len(fields) <= place + 5:
        return None
    stamp = java_stamp(fields[1], reading, instant)
    if stamp is None:
        return None
    event = Event(record, timestamp=stamp)
    _take_severity(event, fields[place])
    if fields[place - 4]:
        event.fields["thread"] = fields[place - 4]
    has_application = place > 8  # 1.5 names the application in front of the location
    names = ("category", "application", "location") if has_application else ("category", "location")
    values = {"guid": fields[0]} | dict(zip(names, fields[2:], strict=False))
    event.metadata |= {name: value for name, value in values.items() if value}
    _take_message(event, "#".join(fields[place + 5 :]).removesuffix("#"))
    return event


def _header(record: str) -> Event | None:
    found = dict(_HEADER.findall(record))
    if not found:
        return None
    values = {name: found[tag] for tag, name in _HEADER_NAMES.items() if tag in found}
    return Event(record, record, metadata={**values}, format=JavaListFormat.name)


def header_pattern(head: bytes) -> str | None:
    """The pattern of the TraceFormatter that a file which begins with `head` was written by, where it says so."""
    found = re.search(rb"<!--FORMATTER\[[\w.]*TraceFormatter\((.{1,200}?)\)\]/-->", head)
    return found[1].decode("utf-8", "replace") if found else None


def _take_severity(event: Event, word: str) -> None:
    if word:
        put_level(event, word, SEVERITIES.get(word.upper()))


def _take_message(event: Event, text: str) -> None:
    message, _, rest = text.replace(_XSA_LINE_END, "\n").strip("\r\n").partition("\n")
    event.message = message
    trace = follow(event, rest).fields.get("stack_trace")
    if isinstance(trace, str):
        event.message = event.message.removesuffix(trace).rstrip("\n")


def _take_location(event: Event) -> None:
    location = event.metadata.get("location")
    if not isinstance(location, str):
        return
    method = _METHOD.fullmatch(location)
    event.fields["class"] = method[1] if method else location
    if method:
        event.fields["method"] = method[2]
