"""w3c: the W3C extended log format of IIS and Amazon CloudFront, by its #Fields line or by IIS's own order.

https://www.w3.org/TR/WD-logfile.html; names of the fields stay as they are, with the few that all access logs share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock

_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ \t][0-9]{2}:[0-9]{2}:[0-9]{2}[ \t]")
_METHOD: Final = re.compile(r"[A-Z]{3,10}")
#: IIS's default fields, by how many a line has (6.0 to 10; the last adds the referrer).
_IIS_HEAD: Final = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
_IIS_STATUS: Final = "sc-status sc-substatus sc-win32-status"
_IIS: Final = {
    14: f"{_IIS_HEAD} {_IIS_STATUS} time-taken",
    15: f"{_IIS_HEAD} cs(Referer) {_IIS_STATUS} time-taken",
    17: f"{_IIS_HEAD} cs(Referer) {_IIS_STATUS} sc-bytes cs-bytes time-taken",
    22: "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version"
    f" cs(User-Agent) cs(Cookie) cs(Referer) cs-host {_IIS_STATUS} sc-bytes cs-bytes time-taken",
}
#: CloudFront standard log, version 1.0.
_CLOUDFRONT: Final = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
_SHARED: Final = {
    "c-ip": "client_ip", "cs-method": "http_method", "cs-uri-stem": "path", "sc-status": "status", "sc-bytes": "bytes",
    "cs(User-Agent)": "user_agent", "cs(Referer)": "referrer", "cs-username": "user",
}  # fmt: skip


class W3cFormat(Format):
    name: ClassVar[str] = "w3c"

    def __init__(self) -> None:
        self._fields: list[str] = []

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self._decode(record, instant) for record in records]

    def _decode(self, record: str, instant: Clock) -> Event | None:
        if record.startswith("#"):
            return self._directive(record, instant)
        if _DATED.match(record) is None:
            return None
        words = record.split("\t" if record[10] == "\t" else " ")
        names = self._fields if len(self._fields) == len(words) else _guess(words)
        if not names:
            return None
        values = dict(zip(names, words, strict=False))
        stamp = instant.text(f"{values.get('date')} {values.get('time')}Z")
        if stamp is None:
            return None
        metadata: dict[str, Json] = {_SHARED.get(key, key): value for key, value in values.items() if value != "-"}
        for key in ("date", "time"):
            metadata.pop(key, None)
        for key in ("status", "bytes"):
            if isinstance(text := metadata.get(key), str) and text.isdecimal():
                metadata[key] = int(text)
        return Event(record, record, stamp, metadata=metadata, format="w3c")

    def _directive(self, record: str, instant: Clock) -> Event | None:
        name, colon, value = record[1:].partition(":")
        if not colon or name not in ("Software", "Version", "Fields", "Date", "Remark", "Start-Date", "End-Date"):
            return None
        if name == "Fields":
            self._fields = value.split()
        stamp = instant.text(f"{value.strip()}Z") if name.endswith("Date") else None
        return Event(record, record, stamp, metadata={name.lower(): value.strip()}, format="w3c")


def _guess(words: list[str]) -> list[str]:
    """The usual fields where no #Fields line was seen: by their number, and the method in its place."""
    if len(words) >= 20 and _METHOD.fullmatch(words[5]) and words[8].isdigit():
        return _CLOUDFRONT.split()
    names = _IIS.get(len(words), "").split()
    return names if names and _METHOD.fullmatch(words[names.index("cs-method")]) else []
