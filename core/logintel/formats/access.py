"""access: web servers' access logs, NCSA common and combined, with what nginx, Apache and proxies put before and after.

https://httpd.apache.org/docs/2.4/logs.html#accesslog and nginx's predefined format `combined`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock

#: vhost? client ident user [time] "request" status bytes and then whatever was configured.
_LINE: Final = re.compile(
    r'(?:([^ "\[]++) )?([^ "\[]++) ([^ "\[]++) ([^"\[]{0,200}?) ?\[([0-9]{1,2}/[^\]]{18,26})\] "([^"\\]*+(?:\\.[^"\\]*+)*+)" ([0-9]{3}|-) ([0-9]+|-)(.*)',
    re.DOTALL,
)
_PART: Final = re.compile(r' (?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|\[([^\]]*)\]|([^ "]+))')
_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]{0,40})[=:](.+)", re.DOTALL)


class AccessFormat(Format):
    name: ClassVar[str] = "access"

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    match = _LINE.match(record)
    if match is None:
        return None
    vhost, client, ident, user, time, request, status, size, more = match.groups()
    stamp = instant.text(time)
    if stamp is None:
        return None
    metadata: dict[str, Json] = {"client_ip": client, "request": request}
    if vhost is not None:
        _place_vhost(metadata, vhost, client)
    if ident != "-":
        metadata["ident"] = ident
    if user and user != "-":
        metadata["user"] = user
    _put_request(metadata, request)
    if status != "-":
        metadata["status"] = int(status)
    if size != "-":
        metadata["bytes"] = int(size)
    if more:
        _put_more(metadata, more)
    return Event(record, message=record, timestamp=stamp, metadata=metadata, format="access")


def _put_request(metadata: dict[str, Json], request: str) -> None:
    """`GET /path?query HTTP/1.1`, by hand: it is on the hot path."""
    method, _, rest = request.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if not path or not protocol[:6].isupper() or "/" not in protocol:
        path, protocol = rest, ""
    if not path or not method.isascii() or not method.replace("-", "").replace("_", "").isalpha():
        return
    metadata["http_method"] = method
    metadata["path"] = path
    if protocol:
        metadata["http_version"] = protocol[protocol.index("/") + 1 :]
        metadata["protocol"] = protocol


def _place_vhost(metadata: dict[str, Json], vhost: str, client: str) -> None:
    """Five words before the time: the virtual host comes first, unless the first one is the address."""
    if vhost[:1].isdigit() and not client[:1].isdigit() and client != "-":
        metadata["client_ip"], metadata["vhost"] = vhost, client
    else:
        metadata["vhost"] = vhost.rstrip(",")


def _put_more(metadata: dict[str, Json], more: str) -> None:
    """Referrer and user agent where they stand, everything else in order."""
    extra: list[Json] = []
    quoted = 0
    for match in _PART.finditer(more):
        text, bracketed, bare = match.groups()
        if text is not None or (bare == "-" and quoted < 2):
            quoted += 1
            if quoted <= 2:
                if text not in (None, "", "-"):
                    metadata["referrer" if quoted == 1 else "user_agent"] = text
                continue
        value = text if text is not None else bracketed if bracketed is not None else bare
        if pair := _PAIR.fullmatch(value):
            metadata.setdefault(pair[1], pair[2])
        elif value not in ("-", ""):
            extra.append(value)
    if extra:
        metadata["extra"] = extra
