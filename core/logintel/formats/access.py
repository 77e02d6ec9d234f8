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
from logintel.written import Frame, plain_json, written

#: words [time] "request" status bytes and then whatever was configured.
_LINE: Final = re.compile(
    r'([^"\[]{3,600}?) {1,4}\[([0-9]{1,2}/[^\]]{17,26})\] "([^"\\]*+(?:\\.[^"\\]*+)*+)" ([0-9]{3}|-) ([0-9]+|-)(.*)',
    re.DOTALL,
)
#: What an address looks like, to tell it from a virtual host before it.
_ADDRESS: Final = re.compile(r"[0-9a-fA-F]{0,4}(?:[.:][0-9a-fA-F]{0,4}){2,8}(?:\.[0-9.]+)?|localhost")
_PART: Final = re.compile(r' (?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|\[([^\]]*)\]|([^ "]+))')
_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]{0,40})=(.+)", re.DOTALL)
_DURATION: Final = re.compile(r"([0-9]+)ms")


#: What nearly all requests and answers consist of; the rest takes the longer way.
_METHODS: Final = frozenset(
    ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND")
)
_VERSIONS: Final = {f"HTTP/{version}": version for version in ("0.9", "1.0", "1.1", "2", "2.0", "3", "3.0")}
_STATUSES: Final = frozenset(map(str, range(100, 600)))
_NAMES: Final = frozenset(
    (
        *("client_ip", "http_method", "path", "http_version", "protocol", "status", "path_stem", "query"),
        *("ident", "user", "bytes", "referrer", "user_agent"),
    )
)


class AccessFormat(Format):
    name: ClassVar[str] = "access"

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]

    def write(
        self, records: Sequence[str], log_ids: Sequence[str], reading: Reading, frame: Frame
    ) -> Sequence[bytes | Decoded]:
        between = frame.between(_NAMES, self.name)
        if between is None:
            return self.decode(records, reading)
        instant = clock(reading)
        return [
            _write(record, log_id, between, instant) or _decode(record, instant)
            for record, log_id in zip(records, log_ids, strict=True)
        ]


def _write(record: str, log_id: str, between: str, instant: Clock) -> bytes | None:
    """The combined format without anything added, which nearly all lines are; the same as `_decode`."""
    try:
        who, request, result, referrer, space, agent, end = record.split('"')
        client, ident, user, time = who.split(" ", 3)
        method, path, protocol = request.split(" ")
        start, status, size, result_end = result.split(" ")
    except ValueError:
        return None
    version = _VERSIONS.get(protocol)
    if version is None or status not in _STATUSES or method not in _METHODS:
        return None
    if end or start or result_end or space != " " or time[:1] != "[" or time[-2:] != "] ":
        return None
    stamp, raw = instant.text(time[1:-2]), plain_json(record, 6)
    if raw is None or stamp is None or not (client and ident and user and path and (size.isdecimal() or size == "-")):
        return None
    own = (
        f',"client_ip":"{client}","http_method":"{method}","path":"{path}","http_version":"{version}"'
        f',"protocol":"{protocol}","status":{status}'
    )
    if "?" in path:
        stem, _, query = path.partition("?")
        own = f'{own},"path_stem":"{stem}","query":"{query}"'
    if ident != "-":
        own = f'{own},"ident":"{ident}"'
    if user != "-":
        own = f'{own},"user":"{user}"'
    if size != "-":
        own = f'{own},"bytes":{int(size)}'
    if referrer and referrer != "-":
        own = f'{own},"referrer":"{referrer}"'
    if agent and agent != "-":
        own = f'{own},"user_agent":"{agent}"'
    return written(log_id, stamp, "", between, own, raw)


def _decode(record: str, instant: Clock) -> Event | None:
    match = _LINE.match(record)
    if match is None:
        return None
    words, time, request, status, size, more = match.groups()
    stamp = instant.text(time)
    if stamp is None:
        return None
    who = words.split(" ")
    if len(who) == 3:
        metadata: dict[str, Json] = {"client_ip": who[0]}
        if who[1] != "-":
            metadata["ident"] = who[1]
        if who[2] != "-":
            metadata["user"] = who[2]
    elif len(who) > 3:
        metadata = {}
        _place(metadata, [word for word in who if word])
    else:
        return None
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
        metadata["request"] = request
        return
    metadata["http_method"] = method
    metadata["path"] = path
    stem, question, query = path.partition("?")
    if question:
        metadata["path_stem"], metadata["query"] = stem, query
    if protocol:
        metadata["http_version"] = protocol[protocol.index("/") + 1 :]
        metadata["protocol"] = protocol


def _place(metadata: dict[str, Json], who: list[str]) -> None:
    """More than three words: the first address is the client; before it stands the virtual host, after it the users."""
    place = next((index for index, word in enumerate(who) if _ADDRESS.fullmatch(word.rstrip(","))), 0)
    if place > 0:
        vhost, _, port = who[0].partition(":")
        metadata["vhost"] = vhost
        if port.isdigit():
            metadata["vhost_port"] = int(port)
    metadata["client_ip"] = who[place].rstrip(",")
    if who[1:place]:
        metadata["forwarded"] = list(who[1:place])
    names = [word for word in who[place + 1 :] if word != "-"]
    if len(who) - place == 3 and names:
        metadata["user"] = names[-1]
        if len(names) == 2:
            metadata["ident"] = names[0]
    elif names:
        metadata["request_id" if len(names) == 1 else "users"] = names[0] if len(names) == 1 else list(names)


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
        elif duration := _DURATION.fullmatch(value):
            metadata["duration_ms"] = int(duration[1])
        elif value not in ("-", ""):
            extra.append(value)
    if extra:
        metadata["extra"] = extra
