"""sap-icm: access logs of the ICM and of SAP Web Dispatcher, by their LOGFORMAT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock
from logintel_sap.icm_logformat import NAMED, compiled

_REQUEST: Final = re.compile(r"([A-Z][A-Z_-]{1,30}) ([^ \n]+|[^\n]+?)(?: ((?:HTTP|SMTP|http)[^ /]{0,5}/[0-9.]+))?$")
_NUMBERS: Final = frozenset(("status", "bytes", "duration_ms", "duration_s", "server_port", "port"))


class IcmAccessFormat(Format):
    """`logformat`: as parameter icm/HTTP/logging_<xx> has it; None: whichever named one fits."""

    name: ClassVar[str] = "sap-icm"

    def __init__(self, logformat: str | None = None) -> None:
        self._layouts = [compiled(logformat)] if logformat else [compiled(name) for name in NAMED]

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self._decode(record, instant) for record in records]

    def _decode(self, record: str, instant: Clock) -> Event | None:
        for layout in self._layouts:
            match = layout.match(record)
            if match is not None and (stamp := instant.text(match["time"].strip("[]"))) is not None:
                return _event(record, match.groupdict(), stamp)
        return None


def _event(record: str, parts: dict[str, str | None], stamp: str) -> Event:
    event = Event(record, record, stamp, "INFO", format=IcmAccessFormat.name)
    metadata: dict[str, Json] = event.metadata
    for name, value in parts.items():
        if value in (None, "", "-") or name == "time":
            continue
        metadata[name] = int(value) if name in _NUMBERS and value.isdecimal() and len(value) < 19 else value
    request = metadata.get("request")
    if isinstance(request, str) and (match := _REQUEST.match(request)):
        del metadata["request"]
        _put_request(metadata, match)
    event.level = _level(metadata.get("status"))
    return event


def _put_request(metadata: dict[str, Json], match: re.Match[str]) -> None:
    metadata["http_method"], metadata["path"] = match[1], match[2]
    stem, question, query = match[2].partition("?")
    if question:
        metadata["path_stem"], metadata["query"] = stem, query
    if match[3]:
        metadata["protocol"], metadata["http_version"] = match[3], match[3].rpartition("/")[2]


def _level(status: Json) -> Level:
    """By the answer's class (RFC 9110, 15)."""
    if not isinstance(status, int) or status < 400:
        return "INFO"
    return "ERROR" if status >= 500 else "WARN"
