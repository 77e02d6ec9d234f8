"""sap-gateway: the log of the SAP Gateway (parameter gw/logging): `ACTION Wkd Mon DD YYYY HH:MM:SS:mmm text`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StartPattern
from logintel.timestamps import Clock, clock

#: Begins a record.
START: Final = re.compile(r"[A-Za-z] [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]?[0-9] [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_RECORD: Final = re.compile(
    r"(?P<action>[A-Za-z]) (?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]?[0-9] [0-9]{4} [0-9:]{8}(?::[0-9]{3})?) "
    r"(?P<message>.*)",
    re.DOTALL,
)
#: The file of rules that decided, and how: `secinfo accepted: USER=…`, `reginfo denied server: TP=…`.
_VERDICT: Final = re.compile(r"(?P<rule>secinfo|reginfo|prxyinfo|acl_info) (?P<result>[a-z]+)\b")
_PAIR: Final = re.compile(r"(?:^|[ ,])([A-Z][A-Z0-9_-]{0,30})=([^,\n]*)")
#: What the letters log (SAP note 910919, gw/logging).
_ACTIONS: Final = {
    "T": "network", "E": "external_program", "R": "registered_program", "S": "security", "s": "security_rejected",
    "Z": "security_no_rule", "M": "monitor", "P": "parameter", "X": "start_stop", "V": "conversation_id",
    "O": "open_rfc", "C": "rfc",
}  # fmt: skip
#: Rejected, and what a missing rule would reject.
_REJECTED: Final = frozenset("sZ")


class GatewayFormat(Format):
    name: ClassVar[str] = "sap-gateway"

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
    action, message = match["action"], match["message"]
    event = Event(record, message, stamp, "INFO", format=GatewayFormat.name)
    event.metadata["action"] = action
    if meaning := _ACTIONS.get(action):
        event.metadata["action_name"] = meaning
    verdict = _VERDICT.match(message)
    if verdict:
        event.metadata |= verdict.groupdict()
    if action in _REJECTED or (verdict and verdict["result"] != "accepted"):
        event.level = "WARN"
    for name, value in _PAIR.findall(message):
        event.metadata.setdefault(name, value.strip())
    return event
