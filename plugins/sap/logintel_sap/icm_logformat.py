"""LOGFORMAT: the layout of an ICM or Web Dispatcher access log, as a regular expression.

Directives as SAP's documentation of parameter icm/HTTP/logging_<xx> lists them. Values are not quoted and may hold
blanks, so a line cannot be split: the literal text between directives tells where one ends.
"""

from __future__ import annotations

import re
from typing import Final

#: The formats that have a name.
NAMED: Final = {
    "CLF": '%h %l %u %t "%r" %s %b',
    "CLFMOD": '%h %l %u %t "%r0" %s %b',
    "SAP": '%t %h %l %u "%r" %s %b %L',
    "SAPSMD": '%t %u "%r" %s %b [%L] h[%{X-CorrelationID}i]',
    "SAPSMD2": '%t %u "%r" %s %b [%L] h[%{X-CorrelationID}i] %{E2E}i',
}
_DIRECTIVE: Final = re.compile(r"%(?:\{([^{}\n]{1,100})\}([a-z])|(r[0-2]|p[0-3]|[a-zA-Z]))")
_WORD: Final = r"[^ \n]*"
_NUMBER: Final = r"[0-9]+|-"
#: What may hold blanks: between quotes or brackets up to the next of them, at the end all, else up to what follows.
_OPEN: Final = ""
_UNQUOTED: Final = r"[^\n]{0,2048}?"
#: A time in brackets, as %t writes it.
_TIME: Final = r"\[(?:[^\]\n]*)\]"
#: Directive → (name of the part, pattern).
_PARTS: Final = {
    "a": ("remote_ip", _WORD), "h": ("client_ip", _WORD), "H": ("server_host", _WORD), "S": ("server_port", _NUMBER),
    "l": ("ident", _WORD), "u": ("user", _WORD), "t": ("time", _TIME), "T": ("duration_s", _NUMBER),
    "L": ("duration_ms", _NUMBER), "r": ("request", _OPEN), "r0": ("request", _OPEN), "r1": ("request_path", _WORD),
    "r2": ("protocol", _WORD), "f": ("file", _WORD), "U": ("url_path", _WORD), "s": ("status", r"[0-9]{3}|-"),
    "b": ("bytes", _NUMBER), "v": ("vhost", _WORD), "p": ("port", _NUMBER), "p0": ("parameters", _WORD),
    "p1": ("parameters_1", _WORD), "p2": ("parameters_2", _WORD), "p3": ("parameters_3", _WORD),
}  # fmt: skip
#: Headers that have names of their own in metadata.
_HEADERS: Final = {"user-agent": "user_agent", "referer": "referrer", "x-correlationid": "smd_header"}
#: Open parts that nothing closes, in the middle of a line: more of them could be told apart in too many ways.
_MOST_UNQUOTED: Final = 2


def compiled(logformat: str) -> re.Pattern[str]:
    """A pattern for a whole line; the groups' names are those of metadata, `time` and `request` too.

    `logformat` is a name or directives. Raises ValueError when it has no %t, or too many parts that nothing closes.
    """
    layout = NAMED.get(logformat.upper(), logformat)
    directives = list(_DIRECTIVE.finditer(layout))
    ends = [0, *(directive.end() for directive in directives)]
    starts = [*(directive.start() for directive in directives), len(layout)]
    literals = [layout[end:start] for end, start in zip(ends, starts, strict=True)]
    text, used = _literal(literals[0]), set[str]()
    for directive, before, behind in zip(directives, literals[:-1], literals[1:], strict=True):
        name, pattern = _part(directive)
        pattern = pattern or _open(before, behind, last=directive is directives[-1])
        text += f"(?:{pattern})" if not name or name in used else f"(?P<{name}>{pattern})"
        text += _literal(behind)
        used.add(name)
    if "time" not in used:
        raise ValueError(f"{logformat!r} is no LOGFORMAT; expected one of {', '.join(NAMED)}, or directives with %t")
    if text.count(_UNQUOTED) > _MOST_UNQUOTED:
        raise ValueError(
            f"{logformat!r} has more than {_MOST_UNQUOTED} parts with blanks (%r, headers) and nothing around "
            'them; write them as "%r" in the profile and here'
        )
    return re.compile(f"{text}[ \\t\\r]*$")


def _part(directive: re.Match[str]) -> tuple[str, str]:
    header, kind, letter = directive.groups()
    if header is None:
        return _PARTS.get(letter, ("", _WORD))
    name = _HEADERS.get(header.lower()) or re.sub(r"[^a-z0-9]+", "_", f"header_{header.lower()}").strip("_")
    return (name if kind == "i" else f"{name}_{kind}"), _OPEN


def _open(before: str, behind: str, *, last: bool) -> str:
    if before.endswith('"') and behind.startswith('"'):
        return r'[^"\n]*'
    if before.endswith("[") and behind.startswith("]"):
        return r"[^\]\n]*"
    return r"[^\n]*" if last and not behind.strip() else _UNQUOTED


def _literal(text: str) -> str:
    """A blank before `[` may be missing: releases differ."""
    return re.escape(text).replace(r"\ \[", r" ?\[")
