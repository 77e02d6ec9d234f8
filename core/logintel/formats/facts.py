"""Facts: addresses, ports, users, requests and quoted names that a message mentions (as ECS's related.*)."""

from __future__ import annotations

import re
from typing import Final

from logintel.event import Event, Json
from logintel.formats.pairs import pairs

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FACT: Final = re.compile(
    rf"""(?<![\w.:-])(?:
        (?P<ip>(?:::ffff:)?{_OCTET}(?:\.{_OCTET}){{3}}(?![\w]|\.[0-9])
          | (?![0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}(?![\w:]))
            (?=[0-9a-fA-F]{{1,4}}:|::)[0-9a-fA-F:]{{2,39}}(?<=[0-9a-fA-F:])(?![\w:.]))
        (?:(?:[:/\#]|\]:|\(|\ port\ )(?P<port>[0-9]{{1,5}})(?![\w.]))?
      | (?P<verb>GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT|PROPFIND|TRACE)\ (?P<path>[^\s"]+)
        (?:\ HTTP/(?P<version>[0-9.]+))?
        (?:"?,?:?\ (?P<status>[1-5][0-9]{{2}})\b)?
      | (?i:user(?:name|\ name|id)?)[\ :=]+['"`<\[(]?(?P<user>[A-Za-z0-9_][\w.@\\$-]{{0,63}})
      | for\ (?:invalid\ user\ |user\ )?['"`]?(?P<named>[A-Za-z0-9_][\w.@-]{{0,63}})['"`]?\ (?=from\b|has\ been\b)
      | (?i:port)[\ :=]+(?P<named_port>[0-9]{{1,5}})\b
      | '(?P<single>[^'\s][^']{{0,98}})'(?!\w)
    )
    | "(?P<double>[^"]{{1,200}})"
    | \[(?P<bracket>[^\[\]]{{1,100}})\](?::(?P<bracket_port>[0-9]{{1,5}})\b)?
    """,
    re.VERBOSE,
)
_TELLING: Final = re.compile(r"[0-9]\.[0-9]|(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT|PROPFIND|TRACE) ")
_NO_USERS: Final = frozenset(
    (
        "name",
        "from",
        "for",
        "is",
        "was",
        "not",
        "has",
        "authentication",
        "and",
        "by",
        "with",
        "or",
        "on",
        "in",
        "at",
        "to",
        "found",
        "unknown",
        "agent",
        "request",
        "failed",
        "login",
    )
)
_KEY: Final = re.compile(r"[A-Za-z][\w-]{0,30}")
_INSIDE: Final = re.compile(
    rf"(?:[A-Za-z][\w -]{{0,30}}[: ] ?)?(?:::ffff:|ipv[46]:)?({_OCTET}"
    rf"(?:\.{_OCTET}){{3}}|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*)(?::([0-9]{{1,5}}))?"
)
#: Only the beginning of a long message is searched, and only so many facts of a kind are kept.
_SEARCHED: Final = 4_000
_KEPT: Final = 16


def mention(event: Event, text: str | None = None) -> None:
    """Complete the metadata with the pairs and facts of the message; what stands there already stays.

    `text` is searched for facts in its place: the head too, where that is not understood whole.
    """
    if "=" in event.message:
        for key, value in pairs(event.message).items():
            event.metadata.setdefault(key, value)
    put_facts(event, event.message if text is None else text)


def put_facts(event: Event, text: str) -> None:
    """Put what the message mentions into metadata: ip, port, user, quoted (lists), http_method, path, status."""
    if not may_mention(text):
        return
    found: dict[str, list[Json]] = {}
    metadata = event.metadata
    for match in _FACT.finditer(text, 0, _SEARCHED):
        kind = match.lastgroup
        if match["ip"] is not None:
            _address(found, match["ip"], match["port"])
        elif match["verb"] is not None:
            for key, name in (
                ("http_method", "verb"),
                ("path", "path"),
                ("http_version", "version"),
                ("status", "status"),
            ):
                if match[name]:
                    metadata.setdefault(key, int(match[name]) if name == "status" else match[name])
        elif match["user"] is not None:
            if match["user"].lower() not in _NO_USERS:
                _keep(found, "user", match["user"].rstrip(".-"))
        elif match["named"] is not None:
            _keep(found, "user", match["named"])
        elif match["named_port"] is not None:
            _keep(found, "port", int(match["named_port"]))
        elif match["bracket"] is not None:
            inside = _INSIDE.fullmatch(match["bracket"])
            if inside is not None:
                _address(found, inside[1], inside[2] or match["bracket_port"])
            else:
                name, colon, value = match["bracket"].partition(":" if ":" in match["bracket"] else " ")
                if colon and _KEY.fullmatch(name) and (match["bracket"][len(name)] == ":" or value[:1].isdigit()):
                    metadata.setdefault(name, value.strip())
                _keep(found, "quoted", match["bracket"])
        elif kind is not None and (quoted := match[kind].strip()):
            inside = _INSIDE.fullmatch(quoted)
            if inside is not None:
                _address(found, inside[1], inside[2])
            _keep(found, "quoted", quoted)
    for key, values in found.items():
        if key not in metadata:
            metadata[key] = values[0] if len(values) == 1 and key == "user" else values


def may_mention(text: str) -> bool:
    """False: it mentions nothing that _FACT finds. Cheaper than looking for it at every character."""
    if ":" in text or '"' in text or "'" in text or "[" in text or "from" in text or "has been" in text:
        return True
    lower = text.lower()
    return (
        "user" in lower
        or "port" in lower
        or (("." in text or lower != text) and _TELLING.search(text) is not None)
        or not text.isascii()  # `(?i:)` knows letters that only look like others, such as the long s
    )


def _address(found: dict[str, list[Json]], address: str, port: str | None) -> None:
    if address.count(":") == 1 or address == "::":
        return
    groups = address.split(":")
    if len(groups) in (3, 6) and "" not in groups and all(len(group) <= 2 for group in groups):  # a time of day, a MAC
        return
    _keep(found, "ip", address.removeprefix("::ffff:"))
    if port and int(port) < 65536:
        _keep(found, "port", int(port))


def _keep(found: dict[str, list[Json]], key: str, value: Json) -> None:
    values = found.setdefault(key, [])
    if value not in values and len(values) < _KEPT:
        values.append(value)
