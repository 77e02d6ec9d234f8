"""Grok: patterns with named parts, `%{NAME:field:type}`, to a regular expression.

The names are those that users of Logstash's grok filter know; the definitions are ours: classes, no nested repetition,
so that no line takes long that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from logintel.config.problem import nearest

#: What a part may be converted to.
TypeName: TypeAlias = Literal["int", "float", "bool"]
#: `%{NAME}`, `%{NAME:field}`, `%{NAME:field:int}`; a field may be written as `[a][b]`, which becomes a.b.
_PART: Final = re.compile(
    r"%\{(?P<name>[A-Z0-9_]+)(?::(?P<field>[A-Za-z_@][\w.@-]*|(?:\[[\w.@-]+\])+)(?::(?P<type>\w+))?)?\}"
)
_IPV4: Final = r"(?<![0-9])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![0-9])"
_IPV6: Final = r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.[0-9.]{5,11})?(?:%\w+)?"
DEFINITIONS: Final[Mapping[str, str]] = {
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "SPACE": r"\s*",
    "NOTSPACE": r"\S+",
    "WORD": r"\b\w+\b",
    "USERNAME": r"[a-zA-Z0-9._-]+",
    "USER": r"%{USERNAME}",
    "EMAILLOCALPART": r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}",
    "EMAILADDRESS": r"%{EMAILLOCALPART}@%{HOSTNAME}",
    "INT": r"[+-]?[0-9]+",
    "POSINT": r"\b[1-9][0-9]*\b",
    "NONNEGINT": r"\b[0-9]+\b",
    "NUMBER": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
    "BASE10NUM": r"%{NUMBER}",
    "BASE16NUM": r"(?<![0-9A-Fa-f])[+-]?(?:0x)?[0-9A-Fa-f]+",
    "QUOTEDSTRING": r"(?:\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"|'[^'\\]*+(?:\\.[^'\\]*+)*+')",
    "QS": r"%{QUOTEDSTRING}",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "URN": r"urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:[^\s]+",
    "MAC": r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}",
    "IPV4": _IPV4,
    "IPV6": _IPV6,
    "IP": r"%{IPV4}|%{IPV6}",
    "HOSTNAME": r"\b[0-9A-Za-z](?:[0-9A-Za-z-]{0,62})(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*\.?",
    "HOST": r"%{HOSTNAME}",
    "IPORHOST": r"%{IP}|%{HOSTNAME}",
    "HOSTPORT": r"%{IPORHOST}:%{POSINT}",
    "UNIXPATH": r"/[^\s:\"']*",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*\"<>|\r\n]+)+",
    "PATH": r"%{UNIXPATH}|%{WINPATH}",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]+",
    "URIHOST": r"%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"/[^\s?#\"]*",
    "URIPARAM": r"\?[^\s#\"]*",
    "URIPATHPARAM": r"%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    "MONTH": r"\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?"
    r"|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b",
    "MONTHNUM": r"(?:0?[1-9]|1[0-2])",
    "MONTHDAY": r"(?:0[1-9]|[12][0-9]|3[01]|[1-9])",
    "DAY": r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)",
    "YEAR": r"(?:[0-9]{4}|[0-9]{2})",
    "HOUR": r"(?:2[0-3]|[01]?[0-9])",
    "MINUTE": r"[0-5][0-9]",
    "SECOND": r"(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?",
    "TIME": r"%{HOUR}:%{MINUTE}(?::%{SECOND})?",
    "DATE_US": r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}",
    "DATE_EU": r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
    "DATE": r"%{DATE_US}|%{DATE_EU}",
    "ISO8601_TIMEZONE": r"(?:Z|[+-]%{HOUR}(?::?%{MINUTE})?)",
    "TIMESTAMP_ISO8601": r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})? ?%{ISO8601_TIMEZONE}?",
    "DATESTAMP": r"(?:%{DATE})[- ]%{TIME}",
    "TZ": r"(?:[APMCE][SD]T|UTC|GMT|CES?T|MES?Z)",
    "SYSLOGTIMESTAMP": r"%{MONTH} +%{MONTHDAY} %{TIME}",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
    "HTTPDERROR_DATE": r"%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}",
    "PROG": r"[\x21-\x5a\x5c\x5e-\x7e]+",
    "SYSLOGPROG": r"%{PROG:program}(?:\[%{POSINT:pid}\])?",
    "SYSLOGHOST": r"%{IPORHOST}",
    "SYSLOGFACILITY": r"<%{NONNEGINT:facility}\.%{NONNEGINT:priority}>",
    "LOGLEVEL": r"(?:(?i:alert|trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe"
    r"|emerg(?:ency)?|fine(?:r|st)?|config|panic))",
    "JAVACLASS": r"(?:[a-zA-Z$_][a-zA-Z$_0-9]*\.)*[a-zA-Z$_][a-zA-Z$_0-9]*",
    "JAVAFILE": r"[a-zA-Z$_0-9. -]+",
    "JAVAMETHOD": r"(?:<(?:cl)?init>|[a-zA-Z$_][a-zA-Z$_0-9]*)",
    "COMMONAPACHELOG": r"%{IPORHOST:client_ip} %{USER:ident} %{USER:auth} \[%{HTTPDATE:timestamp}\] "
    r"\"%{WORD:http_method} %{NOTSPACE:path}(?: HTTP/%{NUMBER:http_version})?\" %{INT:status:int} "
    r"(?:%{INT:bytes:int}|-)",
    "COMBINEDAPACHELOG": r"%{COMMONAPACHELOG} \"%{DATA:referrer}\" \"%{DATA:user_agent}\"",
}  # fmt: skip
#: Definitions may stand in definitions, but not so deep that one could stand in itself.
_DEPTH: Final = 20
_TYPES: Final[Mapping[str, TypeName]] = {
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "bool": "bool",
    "boolean": "bool",
}


class Expanded:
    """A grok pattern as a regular expression.

    pattern  with groups g0, g1 …
    fields   the field of each group
    types    field → int, float or bool, where the pattern names one
    """

    def __init__(self, grok: str, further: Mapping[str, str]) -> None:
        """`further`: definitions of the user's own, which win. Raises ValueError that says what is wrong."""
        self._known = {**DEFINITIONS, **further}
        self.fields: dict[str, str] = {}
        self.types: dict[str, TypeName] = {}
        text = self._expand(grok, 0)
        try:
            self.pattern = re.compile(text)
        except re.error as error:
            raise ValueError(f"not a grok pattern: {error}; put it in single quotes, so that \\ stays") from None

    def _expand(self, text: str, depth: int) -> str:
        if depth > _DEPTH:
            raise ValueError("a definition stands in itself")
        return _PART.sub(lambda part: self._group(part, depth), text)

    def _group(self, part: re.Match[str], depth: int) -> str:
        name, field = part["name"], part["field"]
        definition = self._known.get(name)
        if definition is None:
            raise ValueError(f"unknown grok pattern {name!r}{nearest(name, self._known)}")
        inner = self._expand(definition, depth + 1)
        if field is None:
            return f"(?:{inner})"
        field = ".".join(re.findall(r"[^\[\]]+", field))
        if part["type"]:
            self._note_type(field, part["type"])
        group = f"g{len(self.fields)}"
        self.fields[group] = field
        return f"(?P<{group}>{inner})"

    def _note_type(self, field: str, name: str) -> None:
        if name not in _TYPES:
            raise ValueError(f"unknown type {name!r} of field {field!r}; expected one of int, float, bool")
        self.types[field] = _TYPES[name]
