"""Credentials: secrets that are known by what stands before them: a name, a scheme, a URL's user.

What ends a value that stands in no quotes is what begins something else; where that is not sure, more is taken rather
than less: a password may hold any character.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final

from logintel.redaction.receipts import RECEIPT, is_receipt
from logintel.redaction.rule import Found, Rule, Screen, pattern_rule, screened

#: Names whose value is secret, also as the end of a longer one: `db_password`, `newPassword`, `X-Api-Key`.
_NAME: Final = (
    r"(?:passw(?:or)?[dt][\w.-]{0,24}"
    r"|passphrase|passcode|(?<![a-z])(?:pwd|pass|token)"
    r"|secret(?:[_.-]?(?:access[_.-]?)?key|[_.-]?(?:id|token|value))?"
    r"|(?:api|access|private|encryption|signing|account|shared|master)[_.-]?(?:access[_.-]?)?key"
    r"|(?:access|auth|refresh|id|session|bearer|api|client|csrf|xsrf|security|private|user|device)[_.-]?token)"
)
#: Quotes, however often they were escaped, and a separator: `"password": "`, `\"password\":\"`, `password%3D`.
_GAP: Final = r"""[\\"']{0,40}[ \t]{0,16}"""
_LEAD: Final = rf"""(?:
      (?P<name>{_NAME}){_GAP}(?:=>|:=|==?|:|%3[AaDd])
    | (?<!\w)-{{1,2}}(?:[\w-]{{0,30}}-)?(?P<option>pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|secret)-key)
      [ \t](?![ \t]{{0,16}}-)
    | (?:password|identified[ ]by)[ \t](?:[ \t]{{0,16}}password[ \t])?(?=[ \t]{{0,16}}\\{{0,40}}')
    )"""
#: A quoted value ends at the same quote (SQL doubles one inside), or with the line: a line that was cut has no end.
_QUOTED: Final = r"""(?P<quote>\\{0,40}["'])(?P<quoted>(?:(?!(?<!\\)(?P=quote))[^\n]|(?P=quote){2}(?=\w))++)"""
#: What begins something else behind a separator.
_NEXT: Final = r"""(?:\s|\Z|["'\\]|[\w.%-]{1,40}[=:])"""
_BARE: Final = rf"""(?P<bare>(?:
      [^\s"'&;,|<>)\]}}\\]
    | ["'](?=\w)
    | [&;,|](?!{_NEXT})
    | [)\]}}](?![\s,;.:)\]}}"'\\|<&]|\Z)
    | <(?!/) | >(?![\s<]|\Z)
    | \\(?!["'])
    )++)"""
_CREDENTIAL: Final = re.compile(
    rf"""{RECEIPT}
    | {_LEAD}[ \t]{{0,16}}(?:{_QUOTED}|{_BARE})
    | <[\w:.-]{{0,40}}{_NAME}(?:[ \t][^<>\n]{{0,100}})?>(?P<element>[^<\n]++)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
#: What is written where a secret would be, and is none.
_PLACEHOLDER: Final = re.compile(
    r"true|false|null|none|nil|undefined|yes|no|\*+|x{3,}|\.{2,}|-+|\$\{\w+\}|%[sdv]|\{\}"
    r"|[\[<({]{0,2}(?:redacted|filtered|hidden|masked|removed|protected|omitted|provided|empty|not set)[\])>}]{0,2}",
    re.IGNORECASE | re.ASCII,
)
#: Nothing but what stands between values.
_PUNCTUATION: Final = frozenset(" ,:;{}[]()\\\"'=")
#: What stands under the mere name "token" and is one.
_TOKEN: Final = re.compile(r"[\w.~+/=:%-]{8,}", re.ASCII)
_ESCAPING: Final = re.compile(r"\\+(?=[\"'\\])")


def _credentials(text: str) -> Iterator[Found]:
    """A value is searched for names as well: in `password: "token": "x"` the secret is not the word "token"."""
    place = done = 0
    while match := _CREDENTIAL.search(text, place):
        kind = next((kind for kind in ("quoted", "bare", "element") if match[kind]), None)
        if kind is None:  # a receipt
            place = match.end()
            continue
        start, end = match.span(kind)
        place = start
        secret = _secret(match["name"] or "", match[kind]) if end > done else None
        if secret:
            yield Found(start, end, secret) if start >= done else Found(done, end, text[done:end])
            done = end


def _secret(name: str, value: str) -> str | None:
    """The value under a name, as its receipt takes it; None: it is no secret."""
    if is_receipt(value) or _PLACEHOLDER.fullmatch(value) or _PUNCTUATION.issuperset(value):
        return None
    name = name.lower()
    if name.endswith("pwd") and (value[0] in "/~" or value[1:3] == ":\\"):
        return None  # the working directory
    if name == "token" and not (_TOKEN.fullmatch(value) and any(map(str.isdigit, value))):
        return None  # what a parser met
    if name == "pass" and value.isdigit() and len(value) < 4:
        return None  # a count
    return _ESCAPING.sub("", value)


_NAMED: Final = re.compile(rf"(?:{_NAME})\Z", re.IGNORECASE | re.ASCII)


def _under(name: str, value: str) -> Found | None:
    match = _NAMED.search(name)
    secret = _secret(match[0], value) if match else None
    return Found(0, len(value), secret) if secret else None


_SCHEMES: Final = r"(?i:bearer|basic|token|apikey|negotiate|ntlm|splunk|key)"
_FIELD: Final = r"(?i:authorization)[\\\"']{0,40}[ \t]{0,16}(?:=>|[=:])[ \t]{0,16}[\[{]?[\\\"']{0,40}"
_SPACE: Final = r"(?:[ \t]++|%20|\+)"
_WITH_SCHEME: Final = re.compile(rf"(?:{_SCHEMES}{_SPACE})?", re.ASCII)


def _under_authorization(name: str, value: str) -> Found | None:
    if not name.lower().endswith("authorization"):
        return None
    scheme = _WITH_SCHEME.match(value)
    start = scheme.end() if scheme else 0
    secret = value[start:]
    return Found(start, len(value), secret) if secret and not is_receipt(secret) else None


def _of_basic(text: str) -> str | None:
    """RFC 7617: base64 of `user:password`; the word after "basic" in prose is none."""
    try:
        return text if b":" in base64.b64decode(text + "=" * (-len(text) % 4)) else None
    except ValueError:
        return None


def _with_digit(text: str) -> str | None:
    return text if any(map(str.isdigit, text)) else None


def _not_of_port(text: str) -> str | None:
    """`://host:8080/path@` has no password."""
    return None if re.match(r"[0-9]{1,5}(?:[/?#]|\Z)", text) else text


_AUTHORIZATION: Final = screened("authorization")
_PAIRS: Final = re.compile(
    rf"{_FIELD}(?i:digest|oauth|hawk|mac|aws4-hmac-sha256)[ \t]++"
    r"(?:[\w-]{1,30}=(?:\\{0,9}\"[^\"\n]*+\"|[^\s,\"\\]++)(?:,[ \t]*+)?)++",
    re.ASCII,
)
#: Of pairs: what only who knows the secret can say.
_PROOF: Final = re.compile(
    r"(?i:\b(?:response|c?nonce|opaque|mac|hash|\w{0,20}signature|oauth_\w{1,20}))=\\{0,9}\"?(?P<secret>[^\s,\"\\]++)",
    re.ASCII,
)


def _pairs(text: str) -> Iterator[Found]:
    for match in _PAIRS.finditer(text):
        for proof in _PROOF.finditer(text, *match.span()):
            if not is_receipt(proof["secret"]):
                yield Found(*proof.span("secret"), proof["secret"])


#: What follows a name where it is followed by a value: this keeps prose from being looked at further.
_BEHIND: Final = rf"(?:[\w.-]{{0,40}}{_GAP}(?:[=:'>]|%3[ad])|[\w.-]{{0,40}}[ \t][^<>\n]{{0,100}}>"
_OPTION: Final = r"(?:(?:w(?:or)?d|phrase)?(?:(?<=-pass)|(?<=-passwd)|(?<=-password)|(?<=-passphrase)))"
_KEYS: Final = "|".join(
    rf"(?<={word}key)|(?<={word}[_.-]key)"
    for word in ("api", "access", "private", "encryption", "signing", "account", "shared", "master", "secret")
)

CREDENTIALS: Final[tuple[Rule, ...]] = (
    # RFC 6750 and 7617, wherever they stand; the rest only in its field.
    pattern_rule(
        "authorization", r"(?i:bearer)(?:[ \t]++|%20)(?P<secret>[\w.~+/=-]{12,})", screened("bearer"), _with_digit
    ),
    pattern_rule(
        "authorization", r"(?i:basic)(?:[ \t]++|%20)(?P<secret>[\w+/-]{6,}={0,2})", screened("basic"), _of_basic
    ),
    # RFC 9110, 11.4: a scheme and its credentials; then schemes whose credentials are pairs; then no scheme.
    pattern_rule(
        "authorization",
        rf"{_FIELD}(?:{_SCHEMES}{_SPACE}){{1,4}}(?P<secret>(?:[^\s\"'\\,;\]}}]|,[ ]?(?=\w{{1,30}}=))++)",
        _AUTHORIZATION,
    )._replace(under=_under_authorization),
    Rule("authorization", _pairs, _AUTHORIZATION),
    pattern_rule("authorization", rf"{_FIELD}(?P<secret>[^\s\"'\\,;\]}}]{{8,}}+)", _AUTHORIZATION, _with_digit),
    # RFC 3986, 3.2.1: `user:password@`; a password may hold what should have been escaped.
    pattern_rule(
        "url_password",
        r"://[^\s/?#:@\"'<>\[]{0,255}:(?P<secret>[^\s\"'<>]{1,255})@",
        (Screen(b"@", re.compile(rb"://[^\s/?#:@\"'<>\[]{0,255}:[^\s\"'<>]{1,255}@", re.ASCII)),),
        _not_of_port,
    ),
    Rule(
        "credential",
        _credentials,
        (
            *screened("pass", near=rf"{_BEHIND}|{_OPTION}[ \t])"),
            *screened("pwd", near=rf"{_BEHIND}|(?<=-pwd)[ \t])"),
            *screened("secret", near=rf"{_BEHIND}|(?<=-secret)[ \t])"),
            *screened("token", near=rf"{_BEHIND}|(?<=-token)[ \t])"),
            *screened("key", near=rf"(?:{_KEYS}){_BEHIND}|[ \t])"),
            *screened("identified by"),
        ),
        _under,
    ),
)
