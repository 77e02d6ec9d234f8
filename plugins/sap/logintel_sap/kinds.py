"""Kinds: which of SAP's logs a file is, by what stands at its beginning, else by its name."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

from logintel_sap import gateway, hana_audit, saprouter
from logintel_sap.java_text import START as JAVA_TEXT

Kind: TypeAlias = Literal[
    "security_audit", "developer_trace", "hana_trace", "hana_audit", "java_list", "gateway", "saprouter", "icm_access"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_AUDIT: Final = re.compile(r"[0-9A-Z][A-Z0-9]{3}(?:19|20)[0-9]{14}[0-9 ]{10}[A-Z ]")
_STAMP: Final = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?::[0-9]{3})? [0-9]{4}[ \t]*$"
#: What a line of the kind looks like; the first kind of which one does is it.
_LINES: Final[dict[Kind, re.Pattern[str]]] = {
    "hana_trace": re.compile(r"\[[0-9]+\]\{-?[0-9]+\}\[-?[0-9]+/-?[0-9]+\] [0-9]{4}-"),
    "hana_audit": hana_audit.START,
    "java_list": re.compile(rf"#[0-9]\.[0-9](?:\.[0-9])?[ \x08]?#|<!--LOGHEADER|{JAVA_TEXT} "),
    "gateway": gateway.START,
    "saprouter": saprouter.START,
    "icm_access": re.compile(r"[^\n]*\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\]"),
    "developer_trace": re.compile(
        rf'trc file: "|\*\*\*\* Trace file opened at |LOCATION {{2,}}|(?:\[Thr +[0-9]+\] *|[A-Z] +)?{_STAMP}'
        r"|\[Thr +[0-9]+\] |[A-Z]  \S|\*\*\* ?(?:ERROR|WARNING) *=>|\*\*\*LOG [A-Z0-9]{2,3} ?=>|Error: .*\(-?[0-9]+\)"
    ),
}
#: What a file's name says, where its beginning says nothing yet.
_NAMES: Final[dict[Kind, re.Pattern[str]]] = {
    "security_audit": re.compile(r".*\.aud|audit_?[0-9]{8}(?:_[0-9]+)?", re.IGNORECASE),
    "hana_audit": re.compile(r".*audit_?trail.*\.csv", re.IGNORECASE),
    "developer_trace": re.compile(r"dev_.*"),
    "gateway": re.compile(r"gw_log.*"),
    "saprouter": re.compile(r"saprouter.*\.log"),
    "icm_access": re.compile(r"(?:icm_?)?access[._-].*|access", re.IGNORECASE),
    "java_list": re.compile(r"(?:defaultTrace|applications|security|system|server)[._0-9].*\.(?:trc|log)"),
}
#: In HANA's directory of traces everything of this name is one.
_HANA_TRACE: Final = re.compile(r"/HDB[0-9]{2}/[^/]+/trace/(?:.*/)?[^/]+\.trc$")
_ROTATED: Final = re.compile(r"(?:\.(?:gz|old|[0-9]{1,3}))+$")
#: Characters of the beginning that are looked at.
_LOOKED_AT: Final = 1024


def kind_of(path: str, head: bytes) -> Kind | None:
    """The kind of the file that begins with `head`; None: neither that nor the name tells."""
    text = _text(head[: 2 * _LOOKED_AT])
    return _by_content(text) or _by_name(_ROTATED.sub("", path))


def _by_content(text: str) -> Kind | None:
    if _AUDIT.match(text) and "\n" not in text[:200]:
        return "security_audit"
    lines = text.split("\n")
    return next((kind for kind, line in _LINES.items() if any(map(line.match, lines))), None)


def _by_name(path: str) -> Kind | None:
    name = path.rpartition("/")[2]
    if _HANA_TRACE.search(path):
        return "hana_trace"
    return next((kind for kind, pattern in _NAMES.items() if pattern.fullmatch(name)), None)


def _text(head: bytes) -> str:
    """One character for each byte, or, where every other byte is a NUL, for each pair."""
    head = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    if head[1:2] == b"\0":
        head = head[0::2]
    elif head[:1] == b"\0":
        head = head[1::2]
    return head.decode("latin-1").replace("\r", "")
