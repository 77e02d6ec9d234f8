"""The rule: how one kind of secret is found in a text, and how a block of many events is known not to hold any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from logintel.redaction.receipts import RECEIPT, is_receipt

#: How a block is looked at: lower-cased, as it is, or with each character replaced by one that stands for its kind.
View: TypeAlias = Literal["lower", "exact", "kinds"]


class Found(NamedTuple):
    """A secret in a text; `secret` is what its receipt is made of: the same, however it is written."""

    start: int
    end: int
    secret: str


class Screen(NamedTuple):
    """What stands wherever the rule finds something: `needle`, and with `near` also a match of that.

    Over bytes, since searching those for a short text is the fastest that there is. A pattern that begins with a
    rare character is nearly as fast.
    """

    needle: bytes
    near: re.Pattern[bytes] | None = None
    view: View = "lower"

    def met(self, block: bytes) -> bool:
        """Whether it stands anywhere in a block."""
        return self.needle in block and (self.near is None or self.near.search(block) is not None)

    def places(self, block: bytes) -> Iterator[int]:
        """Where it stands in a block."""
        if self.needle not in block:
            return
        if self.near is not None:
            yield from (match.start() for match in self.near.finditer(block))
            return
        place = block.find(self.needle)
        while place >= 0:
            yield place
            place = block.find(self.needle, place + 1)


class Rule(NamedTuple):
    """A rule of redaction.

    find     the secrets in a text, in order, none within a receipt
    screens  one of them is met by any text that holds such a secret; none: every text must be searched
    under    the secret in the value of a member, by the member's name; None: names do not matter
    """

    name: str
    find: Callable[[str], Iterable[Found]]
    screens: tuple[Screen, ...] = ()
    under: Callable[[str, str], Found | None] | None = None


#: The secret as its receipt takes it; None: it is none after all.
Check: TypeAlias = Callable[[str], str | None]


def screened(*needles: str, near: str = "", view: View = "lower") -> tuple[Screen, ...]:
    """A screen for each needle, `near` being what follows it."""
    return tuple(
        Screen(
            needle.encode(), re.compile((re.escape(needle) + near).encode("latin-1"), re.ASCII) if near else None, view
        )
        for needle in needles
    )


def pattern_rule(name: str, pattern: str, screens: tuple[Screen, ...], check: Check | None = None) -> Rule:
    """A rule that is one pattern. Its group `secret` is what is replaced, the whole match where there is none."""
    # ASCII: else letters that fold to ASCII ones (the Kelvin sign) would escape the screens, which know no others.
    search = re.compile(rf"{RECEIPT}|(?:{pattern})", re.ASCII)
    group: str | int = "secret" if "secret" in search.groupindex else 0

    def find(text: str) -> Iterator[Found]:
        for match in search.finditer(text):
            secret = match[group]
            if not secret or is_receipt(secret):
                continue
            told = secret if check is None else check(secret)
            if told:
                yield Found(*match.span(group), told)

    return Rule(name, find, screens)


_ESCAPED: Final = re.compile(r"\\(?:u00|x)([2-7][0-9a-fA-F])|\\/")
#: Escapes of what may stand unescaped: a text that holds some can hide any secret from a pattern.
ESCAPES: Final = screened("\\", near="(?:(?:u00|x)[2-7][0-9a-f]|/)")


def unescaped(text: str) -> str:
    """The text with ASCII characters that JSON or nginx wrote as escapes (RFC 8259, 7) written as themselves."""
    return _ESCAPED.sub(_plain, text) if "\\" in text else text


def _plain(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else "/"
