"""Tokens: secrets that are known by their own shape, as those who hand them out document it.

No pattern asks what stands before or behind: a token in the middle of a word is one all the same.
"""

from __future__ import annotations

import re
from typing import Final

from logintel.redaction.rule import Rule, Screen, pattern_rule, screened

#: A line of base64 as long as those of a key file (RFC 7468: 64 characters; OpenSSH: 70).
_KEY_LINE: Final = r"[A-Za-z0-9+/]{64}(?:[A-Za-z0-9+/]{6})?"

#: What such a file says it holds; blanks may be written as URLs write them.
_LABEL: Final = r"(?:[A-Z0-9]|[ +]|%20){0,40}PRIVATE(?:[ +]|%20)KEY(?:(?:[ +]|%20)BLOCK)?"
#: Behind the underline or hyphen that ends a token's prefix.
_UNDERLINED: Final = Screen(
    b"_",
    re.compile(rb"_(?=[a-z0-9_]{16})(?:(?<=gh[pousr]_)|(?<=github_pat_)|(?<=[sr]k_live_)|(?<=[sr]k_test_)|(?<=npm_))"),
)
_HYPHENED: Final = Screen(
    b"-",
    re.compile(
        rb"-(?=[\w.=-]{10})"
        rb"(?:(?<=glpat-)|(?<=glptt-)|(?<=gldt-)|(?<=glrt-)|(?<=xox[a-z]-)|(?<=xapp-)|(?<=pypi-))",
        re.ASCII,
    ),
)


def _key(text: str) -> str | None:
    """Not a hash in hex, which has the length of such a line."""
    return None if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+|[A-Za-z]+", text) else text


TOKENS: Final[tuple[Rule, ...]] = (
    # RFC 7468; to the end of the text where it does not end: a cut key is still most of a key. A source that reads
    # line by line tears it apart: then a text that is a line of such a file and nothing else is a part of one.
    pattern_rule(
        "private_key",
        rf"-----BEGIN{_LABEL}-----(?s:.*?)(?:-----END{_LABEL}-----|\Z)|\A{_KEY_LINE}\Z",
        (
            *screened("PRIVATE", near="(?: |[+]|%20)KEY", view="exact"),
            Screen(b'"raw_log":"', re.compile(rf'"raw_log":"{_KEY_LINE.lower()}"'.encode())),
        ),
        _key,
    ),
    # RFC 7519 and 7516: three or five parts of base64url, the first of which is a JSON object.
    pattern_rule("jwt", r"eyJ[\w-]{8,}(?:\.[\w-]*){2,4}", screened("eyJ", view="exact")),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    pattern_rule("aws_key_id", r"A(?:KIA|SIA)[A-Z0-9]{16}", screened("AKIA", "ASIA", view="exact")),
    # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    pattern_rule("github", r"(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{22,}", (_UNDERLINED,)),
    # https://docs.gitlab.com/security/tokens/#token-prefixes
    pattern_rule("gitlab", r"gl(?:pat|dt|rt|ptt)-[\w.=-]{20,}", (_HYPHENED,)),
    # https://api.slack.com/authentication/token-types; and incoming webhooks, which need no other secret.
    pattern_rule(
        "slack", r"(?:xox[a-z]|xapp)-[\w-]{10,}|hooks\.slack\.com/[\w/]{20,}", (_HYPHENED, *screened("hooks.slack"))
    ),
    pattern_rule("google", r"AIza[\w-]{35}", screened("AIza", view="exact")),
    # https://docs.stripe.com/keys
    pattern_rule("stripe", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", (_UNDERLINED,)),
    pattern_rule("npm", r"npm_[A-Za-z0-9]{30,}", (_UNDERLINED,)),
    pattern_rule("pypi", r"pypi-[\w-]{50,}", (_HYPHENED,)),
)
