"""The redactor: replaces secrets in events as they are sent, by receipts, in every text of an event alike.

A batch is screened as one block of bytes first. Only events in which something stands that may be a secret are taken
apart, searched and written again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, cast

import orjson

from logintel.event import Json
from logintel.redaction.receipts import RECEIPT, Receipts, is_receipt
from logintel.redaction.rule import ESCAPES, Found, Rule, Screen, unescaped

#: Members of an event that hold what its source said.
SAID: Final = ("raw_log", "message", "parsed_fields", "metadata", "tags")
#: A secret of so many characters is replaced wherever else it stands in its event; a shorter one as a whole value only.
_TELLING: Final = 4
_RECEIPTS: Final = re.compile(RECEIPT)
#: Where formats take records apart, and the longest secret of which overlaps are looked for.
_SPLIT: Final = re.compile(r"[^\w.~+/-]")
_SPLIT_BYTES: Final = 500
#: Digits of a number that may be a secret.
_DIGITS: Final = 9
_KINDS: Final = bytes(
    ord("0") if chr(byte).isdigit() and byte < 128 else ord("A") if 65 <= byte <= 90 else byte if byte in b" -" else 46
    for byte in range(256)
)


class Redactor:
    """Redacts by `rules`; `events` counts, by rule, those in which it replaced something."""

    def __init__(self, rules: Sequence[Rule], receipts: Receipts) -> None:
        self._rules = rules
        self._receipts = receipts
        self._screens: tuple[Screen, ...] | None = tuple(dict.fromkeys(_screens(rules)))
        if not all(rule.screens for rule in rules):
            self._screens = None
        self.events: Counter[str] = Counter()

    def suspects(self, texts: Sequence[str | bytes]) -> Collection[int]:
        """Which of the texts may hold a secret: their indices, in order."""
        if self._screens is None:
            return range(len(texts))
        block = b"\n".join(map(_as_bytes, texts))
        views = {"exact": block, "lower": block.lower()}
        places: set[int] = set()
        for screen in self._screens:
            if screen.view not in views:
                views[screen.view] = block.translate(_KINDS)
            places.update(screen.places(views[screen.view]))
        if not places:
            return ()
        ends = list(accumulate(len(_as_bytes(text)) + 1 for text in texts))
        return sorted({bisect_right(ends, place) for place in places})

    def value(self, value: bytes, ours: Collection[str]) -> bytes:
        """An encoded event without secrets. `ours`: metadata that the agent itself says, which stays."""
        rules = self._suspected(value)
        if not rules:
            return value
        body = orjson.loads(value)
        return orjson.dumps(body) if self._redact(body, ours, rules) else value

    def event(self, body: dict[str, Json], written: bytes, ours: Collection[str]) -> bool:
        """Take the secrets out of an event; whether there were some. `written`: bytes that hold all that it says."""
        rules = self._suspected(written)
        return bool(rules) and self._redact(body, ours, rules)

    def shared(self, metadata: Mapping[str, Json]) -> dict[str, Json]:
        """Metadata without secrets."""
        body: dict[str, Json] = {"metadata": dict(metadata)}
        self._redact(body, (), self._rules)
        return cast("dict[str, Json]", body["metadata"])

    def _suspected(self, value: bytes) -> Sequence[Rule]:
        """The rules that may find something in an encoded event."""
        views = {"exact": value, "lower": value.lower(), "kinds": value.translate(_KINDS)}
        if any(screen.met(views[screen.view]) for screen in ESCAPES):
            return self._rules
        return [
            rule
            for rule in self._rules
            if not rule.screens or any(screen.met(views[screen.view]) for screen in rule.screens)
        ]

    def _redact(self, body: dict[str, Json], ours: Collection[str], rules: Sequence[Rule]) -> bool:
        """Redact the members SAID of an event in place; whether there was something."""
        search = _Search(rules, self._receipts)
        said: dict[str, Json] = {name: body[name] for name in SAID if name in body}
        metadata = said.get("metadata")
        kept: dict[str, Json] = {}
        if isinstance(metadata, dict):
            kept = {name: value for name, value in metadata.items() if name in ours}
            said["metadata"] = {name: value for name, value in metadata.items() if name not in ours}
        said = {name: search.walk(value) for name, value in said.items()}
        if not search.rules:
            return False
        said = {name: search.sweep(value, whole=name == "raw_log") for name, value in said.items()}
        if kept and isinstance(found := said["metadata"], dict):
            said["metadata"] = kept | found
        body.update(said)
        self.events.update(search.rules)
        return True


def _as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def _screens(rules: Sequence[Rule]) -> Iterator[Screen]:
    for rule in rules:
        yield from rule.screens
    yield from ESCAPES


class _Search:
    """The search through one event; `rules` are those that found something."""

    def __init__(self, rules: Sequence[Rule], receipts: Receipts) -> None:
        self._all = rules
        self._named = [(rule, rule.under) for rule in rules if rule.under is not None]
        self._receipts = receipts
        self._told: dict[str, str] = {}
        self.rules: set[str] = set()

    def walk(self, value: Json, names: tuple[str, ...] = ()) -> Json:
        """The value without secrets; `names` are those of the members that it is in."""
        if isinstance(value, str):
            return self._text(value, names)
        if isinstance(value, dict):
            return {self._text(name, ()): self.walk(inner, (*names, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.walk(inner, names) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        written = str(value)
        text = self._text(written, names) if len(written) >= _DIGITS else self._under(written, names)
        return value if text == written else text

    def sweep(self, value: Json, *, whole: bool = False) -> Json:
        """The value without what was found to be a secret elsewhere in the event, where nothing beside it says so.

        `whole`: it is the record itself, not something that a format took out of it, which may be a part of a secret.
        """
        if isinstance(value, str):
            return self._swept(value, whole=whole)
        if isinstance(value, dict):
            return {str(self.sweep(name)): self.sweep(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.sweep(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and len(str(value)) >= _TELLING:
            return self._told.get(str(value), value)
        return value

    def _swept(self, text: str, *, whole: bool) -> str:
        if text in self._told:
            return self._told[text]
        for secret, receipt in self._told.items():
            if len(secret) >= _TELLING and secret in text:
                text = _without(text, secret, receipt)
            elif not whole and not is_receipt(text):
                text = _without_part(text, secret, receipt)
        return text

    def _text(self, text: str, names: tuple[str, ...]) -> str:
        plain = unescaped(text)
        redacted = plain
        for rule in self._all:
            if found := list(rule.find(redacted)):
                redacted = self._replaced(redacted, found, rule.name)
        if names:
            redacted = self._under(redacted, names)
        return text if redacted == plain else redacted

    def _under(self, text: str, names: tuple[str, ...]) -> str:
        for rule, under in self._named:
            for name in names:
                if text and (found := under(name, text)):
                    text = self._replaced(text, [found], rule.name)
        return text

    def _replaced(self, text: str, found: Sequence[Found], rule: str) -> str:
        self.rules.add(rule)
        parts: list[str] = []
        done = 0
        for start, end, secret in found:
            receipt = self._receipts.of(rule, secret)
            parts += text[done:start], receipt
            self._tell(text[start:end], secret, receipt)
            done = end
        return "".join((*parts, text[done:]))

    def _tell(self, written: str, secret: str, receipt: str) -> None:
        """Remember the secret, as it was written, as it is, and as JSON writes it."""
        for form in (written, secret, json.dumps(secret, ensure_ascii=False)[1:-1]):
            parts = _RECEIPTS.split(form)
            for part in parts:
                if part and (len(parts) == 1 or len(part) >= _TELLING):
                    self._told.setdefault(part, receipt)


def _without(text: str, secret: str, receipt: str) -> str:
    """Not inside of receipts: a rule's name may be a secret, too."""
    return re.sub(f"({RECEIPT})|{re.escape(secret)}", lambda match: match[1] or receipt, text)


def _without_part(text: str, secret: str, receipt: str) -> str:
    """What a format took out of a record may be a part of what is secret in it, or overlap its beginning or end."""
    if len(text) >= _TELLING and text in secret:
        return receipt
    if len(secret) > _SPLIT_BYTES or not _SPLIT.search(secret):
        return text
    for length in range(min(len(secret), len(text)) - 1, _TELLING - 1, -1):
        if text.startswith(secret[-length:]):
            return receipt + text[length:]
        if text.endswith(secret[:length]):
            return text[:-length] + receipt
    return text
