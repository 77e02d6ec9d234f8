"""sap-audit: the files of the ABAP Security Audit Log, records of 200 characters without line ends.

The layout, in characters, as records of real files show it (data elements SLGFTYP, SLGDATTIM, SLGPROC, SLGUSER …):
type 1, message id 3, date and time 14 and 2 more digits, process 5, 5 and 2, terminal 8, user 12, transaction 20,
report 40, client 3, session 1, variables 64, terminal 20.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats import Decoded, FixedRecords, Format, Framer, Reading
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock
from logintel_sap.audit_messages import MESSAGES

#: Characters of a record: code units of UTF-16 in Unicode systems, else bytes.
LENGTH: Final = 200
_START: Final = re.compile(r"[0-9A-Z][A-Z0-9]{3}[0-9]{14}")
_PROCESS: Final = re.compile(r"[A-Z][0-9 ]")
#: Name in metadata, and where it stands.
_PARTS: Final = (
    ("pid", 20, 25),
    ("task", 25, 30),
    ("user", 40, 52),
    ("transaction", 52, 72),
    ("report", 72, 112),
    ("client", 112, 115),
    ("session", 115, 116),
)


class SecurityAuditFormat(Format):
    name: ClassVar[str] = "sap-audit"
    fixed: ClassVar[FixedRecords | None] = FixedRecords(LENGTH, "latin-1")

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    text = _units(record)
    if _START.match(text) is None:
        return None
    stamp = instant.text(f"{text[4:12]} {text[12:18]}")
    if stamp is None:
        return None
    event = Event(record.rstrip(" "), timestamp=stamp, format=SecurityAuditFormat.name)
    _take_parts(event, text)
    message_id = text[1:4]
    variables = _variables(text[116:180])
    known = MESSAGES.get(message_id)
    if known:
        event.message, event.level = known.text(variables), known.level
        event.metadata |= {"title": known.title, "audit_class": known.group}
    else:
        event.message = f"{message_id} {text[116:180].strip()}".strip()
    event.metadata["message_id"] = message_id
    event.metadata["variables"] = [*variables]
    event.tags.append(message_id)
    return event


def _take_parts(event: Event, text: str) -> None:
    metadata = event.metadata
    for name, start, end in _PARTS:
        if value := _whole(text[start:end].strip()):
            metadata[name] = value
    process = text[30:32]
    if _PROCESS.fullmatch(process):
        event.fields["thread"] = process.strip()
    if terminal := text[180:].strip() or text[32:40].strip():
        metadata["terminal"] = _whole(terminal)


def _variables(text: str) -> list[str]:
    """Between `&`; a variable that holds one itself cannot be told from two."""
    text = _whole(text.rstrip(" "))
    return [value.strip() for value in text.removesuffix("&").split("&")] if text else []


def _units(record: str) -> str:
    """One character for each code unit of UTF-16, since fields are counted in them."""
    if len(record) == LENGTH or record.isascii():
        return record
    units = record.encode("utf-16-le", "surrogatepass")
    return "".join(chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2))


def _whole(text: str) -> str:
    """Pairs of code units made characters again; half a pair at a field's bound goes."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
