"""hana-audit: SAP HANA's audit trail as CSV, cells between `;`, in both of its column layouts.

Columns as the audit trail's documentation lists them (SAP HANA Security Guide, "Audit Trail Layout for Trail Target
CSV"). Newer releases have the database's name behind the port, so that all later columns move by one: the place of
SUCCESSFUL or UNSUCCESSFUL tells which it is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.patterns import follow
from logintel.framing import StartPattern
from logintel.levels import put_level
from logintel.timestamps import Clock, clock

#: Begins a record: the statement in it may have lines.
START: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}[^;\n]{0,20};[a-z]+;")
_STATUSES: Final = ("SUCCESSFUL", "UNSUCCESSFUL")
#: Where the status stands without and with the column of the database.
_STATUS, _STATUS_BEHIND_DATABASE = 20, 21
#: Of the layout without the database: what each cell is; "" is left out.
_COLUMNS: Final = (
    *("time", "service", "host", "sap_sid", "sap_instance_number", "server_port", "client_ip", "client_host"),
    *("client_pid", "client_port", "policy", "level", "action", "user", "schema", "object", "privilege", "grantable"),
    *("role", "target_principal", "status", "component", "section", "parameter", "old_value", "new_value", "statement"),
    *("session_id", "application_user"),
)
_MORE: Final = {33: "xs_application_user", 34: "program", 35: "statement_user"}
_NUMBERS: Final = frozenset(("server_port", "client_port", "client_pid"))
#: The levels of an audit policy (CREATE AUDIT POLICY … LEVEL).
_LEVELS: Final[dict[str, Level]] = {
    "INFO": "INFO", "WARNING": "WARN", "ALERT": "ERROR", "CRITICAL": "FATAL", "EMERGENCY": "FATAL",
}  # fmt: skip


class HanaAuditFormat(Format):
    name: ClassVar[str] = "hana-audit"

    def framer(self) -> Framer:
        return StartPattern(START)

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    cells, rest = _cells(record)
    database = None
    if cells[_STATUS_BEHIND_DATABASE : _STATUS_BEHIND_DATABASE + 1] and cells[_STATUS_BEHIND_DATABASE] in _STATUSES:
        database = cells.pop(6)
    if len(cells) <= _STATUS or cells[_STATUS] not in _STATUSES:
        return None
    stamp = instant.text(cells[0])
    if stamp is None:
        return None
    event = Event(record, timestamp=stamp, format=HanaAuditFormat.name)
    values = _named(cells)
    if database:
        values["database"] = database
    _put(event, values)
    return follow(event, rest)


def _cells(record: str) -> tuple[list[str], str]:
    """The cells of the first row, and the lines behind it, which are none of the audit trail's."""
    lines = [f"{line}\n" for line in record.split("\n")]
    rows = csv.reader(lines, delimiter=";")
    try:
        return next(rows, []), "".join(lines[rows.line_num :]).rstrip()
    except csv.Error:
        return [], ""


def _named(cells: Sequence[str]) -> dict[str, str]:
    values = {name: cell for name, cell in zip(_COLUMNS, cells, strict=False) if cell}
    return values | {name: cells[place] for place, name in _MORE.items() if place < len(cells) and cells[place]}


def _put(event: Event, values: dict[str, str]) -> None:
    del values["time"]
    for name in ("host", "service"):
        if value := values.pop(name, None):
            event.fields[name] = value
    word = values.pop("level", "")
    put_level(event, word, _LEVELS.get(word, "INFO"))
    statement = values.pop("statement", "")
    said = f"{values.get('action', '')} {values['status']}".strip()
    event.message = f"{said}: {statement}" if statement else said
    if statement:
        event.metadata["statement"] = statement
    if values["status"] == "UNSUCCESSFUL" and event.level == "INFO":
        event.level = "WARN"
        event.metadata["level_text"] = word
    for name, value in values.items():
        event.metadata[name] = int(value) if name in _NUMBERS and value.isdecimal() and len(value) < 19 else value
