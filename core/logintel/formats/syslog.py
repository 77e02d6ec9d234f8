"""syslog: RFC 5424 and RFC 3164 as sent, and as the daemons write them to files (no PRI, ISO stamps)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.nested import Nested
from logintel.formats.patterns import follow
from logintel.framing import StackTraces
from logintel.levels import SYSLOG, WORDS
from logintel.timestamps import Clock, clock

_FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_SEVERITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_ISO: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_BSD: Final = (
    r"[A-Z][a-z]{2} {1,2}[0-9]{1,2} (?:[0-9]{4} )?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?: [0-9]{4}(?=[: ])| (?:UTC|GMT|CES?T|[ECMP][SD]T)(?=:))?"
)
_ELEMENT: Final = r'\[[^ =\]"]++(?: ++[^ =\]"]++= ?"[^"\\]*+(?:\\.[^"\\]*+)*+")*+ *\]'
#: RFC 5424, 6: PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
_RFC5424: Final = re.compile(
    rf"(?:<([0-9]{{1,3}})>)?(?:([1-9][0-9]{{0,2}}) )?(-|{_ISO}) (?!\[)([^ ]++) (?!\[)([^ ]++) (?!\[)([^ ]++) (?:"
    rf"([^ \[]++) )?(-|(?:{_ELEMENT})++)(?: (.*)|$)",
    re.DOTALL,
)
#: RFC 3164, 4.1: PRI TIMESTAMP SP HOSTNAME SP TAG CONTENT; the host is missing in what local daemons send.
_RFC3164: Final = re.compile(rf"(?:<([0-9]{{1,3}})>)?(?:[0-9]{{1,10}}: )?[*.]?({_BSD}|{_ISO}):? ++(.*)", re.DOTALL)
_HOST: Final = re.compile(r"([^ :\[\]=,]++|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]+\]?) ++")
_TAG: Final = re.compile(
    r"([^ :\[\]=<>{}\"]{1,64}(?: [^ :\[\]=]{1,20})?)(?:\[([^\]]{1,20})\])?: ?|([^ :\[\]=<>]{1,64})\[([0-9]{1,10})\]:? "
)
_PARAMETER: Final = re.compile(r'\[([^ =\]"]++)|([^ =\]"]++)= ?"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_ESCAPED: Final = re.compile(r'\\(["\\\]])')


class SyslogFormat(Format):
    name: ClassVar[str] = "syslog"

    def __init__(self) -> None:
        self._nested = Nested()

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        events = [_rfc3164(record, instant) or _rfc5424(record, instant) for record in records]
        self._nested.open(events, reading)
        return list(events)


def _rfc5424(record: str, instant: Clock) -> Event | None:
    match = _RFC5424.match(record)
    if match is None:
        return None
    pri, version, time, host, app, process, kind, data, text = match.groups()
    stamp = None if time == "-" else instant.text(time)
    if (stamp is None and time != "-") or (pri is None and time == "-"):
        return None
    event = Event(record, timestamp=stamp, format="syslog")
    if pri is not None and not _put_priority(event, int(pri)):
        return None
    event.message = (text or "").removeprefix("\ufeff")
    _put_origin(event, host, app, process)
    for key, value in (("msgid", kind), ("syslog_version", version)):
        if value not in (None, "-"):
            event.metadata[key] = value
    if data != "-":
        event.metadata["structured_data"] = _structured(data)
    return event


def _rfc3164(record: str, instant: Clock) -> Event | None:
    match = _RFC3164.match(record)
    if match is None:
        return None
    pri, time, rest = match.groups()
    stamp = instant.text(time)
    if stamp is None:
        return None
    host = process = app = None
    start = 0
    iso = time[4] == "-"
    tag = _TAG.match(rest)
    if tag is None or (" " in (tag[1] or "")):
        named = _HOST.match(rest)
        if named is not None and named[1].upper() not in WORDS:
            host, start = named[1], named.end()
            tag = _TAG.match(rest, start)
    elif iso:
        return None
    if tag is not None and (not iso or tag[2] or tag[4] or pri):
        app, process = tag[1] or tag[3], tag[2] or tag[4]
        start = tag.end()
    elif iso and (pri is None or _RFC5424.match(record)):
        return None
    event = Event(record, timestamp=stamp, format="syslog")
    if pri is not None and not _put_priority(event, int(pri)):
        return None
    _put_origin(event, host, app, process)
    head, _, more = rest[start:].partition("\n")
    event.message = head
    return follow(event, more)


def _put_priority(event: Event, pri: int) -> bool:
    """PRI = facility * 8 + severity; above 191 it is none."""
    if pri > 191:
        return False
    facility, severity = divmod(pri, 8)
    event.level = SYSLOG[severity]
    event.metadata.update(
        facility=_FACILITIES[facility],
        severity=_SEVERITIES[severity],
        priority=pri,
        facility_code=facility,
        severity_code=severity,
    )
    return True


def _put_origin(event: Event, host: str | None, app: str | None, process: str | None) -> None:
    if host not in (None, "-"):
        event.fields["host"] = host
    if app is not None and app.startswith("%"):  # Cisco: %FACILITY-SEVERITY-MNEMONIC
        event.metadata["message_id"] = app[1:]
        event.metadata["mnemonic"] = app.rpartition("-")[2]
    elif app not in (None, "-"):
        event.fields["service"] = app
    if process not in (None, "-"):
        event.metadata["pid"] = process


def _structured(data: str) -> dict[str, Json]:
    """{SD-ID: {name: value}} (RFC 5424, 6.3)."""
    found: dict[str, Json] = {}
    inside: dict[str, Json] = {}
    for match in _PARAMETER.finditer(data):
        element, name, value = match.groups()
        if element is not None:
            inside = {}
            found[element] = inside
        else:
            inside[name] = _ESCAPED.sub(r"\1", value) if "\\" in value else value
    return found
