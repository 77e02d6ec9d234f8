"""sap-router: the log of SAProuter (option -G), `Wkd Mon DD HH:MM:SS YYYY ACTION <C|S>n/m text`.

Actions as SAP's documentation of SAProuter lists them. C and S say which side of the connection, n is its handle,
m that of the other side, `-` while there is none; handles are used again for later connections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StartPattern
from logintel.timestamps import Clock, clock

_TIME: Final = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}"
#: Begins a record.
START: Final = re.compile(rf"{_TIME} (?:CONNECT |DISCONNECT|PERM |INVAL |INIT |READ |[A-Z]+ )")
_RECORD: Final = re.compile(
    rf"(?P<time>{_TIME}) (?P<action>[A-Z]+(?: (?!-)[A-Z]+)?)\b(?: (?P<handle>[CS][0-9]+/(?:[0-9]+|-)))?"
    r"(?: (?P<text>.*))?",
    re.DOTALL,
)
_PEER: Final = re.compile(r"host (?P<ip>[^/ ]+)/(?P<port>[0-9]{1,5}|[^ ]+)(?: \((?P<host>[^()]*)\))?")
_LEVELS: Final[dict[str, Level]] = {"PERM DENIED": "WARN", "INVAL DATA": "WARN"}


class SaprouterFormat(Format):
    name: ClassVar[str] = "sap-router"

    def framer(self) -> Framer:
        return StartPattern(START)

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    match = _RECORD.match(record)
    stamp = match and instant.text(match["time"])
    if match is None or stamp is None:
        return None
    action, text = match["action"], (match["text"] or "").strip()
    # the text of INVAL DATA says it all
    message = text if text and action == "INVAL DATA" else f"{action} {text}".rstrip()
    event = Event(record, message, stamp, _LEVELS.get(action, "INFO"), format=SaprouterFormat.name)
    event.metadata["action"] = action
    if match["handle"]:
        event.metadata["handle"] = match["handle"]
        event.metadata["side"] = "client" if match["handle"][0] == "C" else "server"
    if peer := _PEER.search(text):
        event.metadata["peer_ip"] = peer["ip"]
        if peer["host"]:
            event.metadata["peer_host"] = peer["host"]
        if peer["port"].isdecimal():
            event.metadata["peer_port"] = int(peer["port"])
        else:
            event.metadata["peer_service"] = peer["port"]
    return event
