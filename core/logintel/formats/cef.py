"""cef: ArcSight's Common Event Format (revision 26) and IBM QRadar's LEEF (1.0 and 2.0)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock

_HEADER: Final = ("device_vendor", "device_product", "device_version", "event_id", "name", "severity")
_BAR: Final = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_EXTENSION: Final = re.compile(r"(?:^|(?<= ))([A-Za-z0-9_.\[\]-]{1,100})=")
_ESCAPE: Final = re.compile(r"\\([\\|=nr])")
_DELIMITER: Final = re.compile(r"(?:0x|x)([0-9A-Fa-f]{2,4})")
_TIMES: Final = ("rt", "devTime", "deviceReceiptTime", "start", "end")
#: Severity 0-3 is low, 4-6 medium, 7-8 high, 9-10 very high (CEF revision 26, header definitions).
_SEVERITIES: Final[dict[str, Level]] = {
    **dict.fromkeys(("0", "1", "2", "3", "Low", "Unknown"), "INFO"),
    **dict.fromkeys(("4", "5", "6", "Medium"), "WARN"),
    **dict.fromkeys(("7", "8", "High"), "ERROR"),
    **dict.fromkeys(("9", "10", "Very-High"), "FATAL"),
}


class CefFormat(Format):
    name: ClassVar[str] = "cef"

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    if record.startswith("CEF:"):
        parts = _split(record[4:], 7)
        if len(parts) != 8:
            return None
        metadata: dict[str, Json] = {"cef_version": parts[0], **dict(zip(_HEADER, parts[1:7], strict=True))}
        metadata.update(_extension(parts[7]))
        event = Event(record, parts[5], level=_SEVERITIES.get(parts[6]), metadata=metadata, format="cef")
    elif record.startswith("LEEF:"):
        parts = _split(record[5:], 5)
        if len(parts) != 6:
            return None
        metadata = {"leef_version": parts[0], **dict(zip(_HEADER, parts[1:5], strict=False))}
        metadata.update(_attributes(parts[5], parts[0].startswith("2")))
        event = Event(record, metadata=metadata, format="cef")
    else:
        return None
    for key in _TIMES:
        if isinstance(value := metadata.get(key), str) and (stamp := instant.text(value)):
            event.timestamp = stamp
            break
    text = metadata.get("msg")
    event.message = text if isinstance(text, str) else event.message or record
    return event


def _split(text: str, times: int) -> list[str]:
    """Cut at the bars that no backslash precedes."""
    parts, start = [], 0
    for bar in _BAR.finditer(text):
        parts.append(_plain(text[start : bar.end() - 1]))
        start = bar.end()
        if len(parts) == times:
            break
    return [*parts, text[start:]]


def _extension(text: str) -> dict[str, Json]:
    """`key=value` where a value goes on to the next ` key=`."""
    marks = list(_EXTENSION.finditer(text))
    if not marks:
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return {mark[1]: _plain(text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)}


def _attributes(text: str, delimiter_named: bool) -> dict[str, Json]:
    """LEEF's pairs, parted by a tab or by what 2.0 names before them."""
    delimiter = "\t"
    named, bar, rest = text.partition("|")
    if delimiter_named and bar and "=" not in named and len(named) <= 6:
        code = _DELIMITER.fullmatch(named)
        delimiter, text = (chr(int(code[1], 16)) if code else named or "\t"), rest
    found: dict[str, Json] = {}
    for part in text.split(delimiter):
        key, equals, value = part.strip().partition("=")
        if equals:
            found[key] = value
    return found


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), text) if "\\" in text else text
