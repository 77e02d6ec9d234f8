"""Written events: what a format writes as JSON itself, without making the values in between.

What most lines of a log consist of needs no change to stand in JSON. For such lines a format copies text, which costs
half of what values cost that are made, kept and written.
"""

from __future__ import annotations

from typing import Final, Protocol

import orjson

#: Characters of a record that is written: what is added to it leaves it below logintel.event.MAX_ENCODED.
_LONGEST: Final = 64 * 1024
_BEFORE_STAMP: Final = len('{"log_id":"","timestamp":"') + 36
_STAMP: Final = 27


class Frame(Protocol):
    """What the agent puts around what a format writes."""

    def between(self, names: frozenset[str], format_: str) -> str | None:
        """What stands before the metadata of the names `names`; None: one of them is the agent's own, so decode."""


def written(log_id: str, timestamp: str, said: str, between: str, own: str, raw: bytes) -> bytes:  # noqa: PLR0917
    """An event as it is sent.

    `said`: members of the event (level, message, parsed_fields), each behind a comma; `own`: members of its metadata,
    likewise; `between`: from a Frame; `raw`: the record as a JSON text with its quotes.
    """
    head = f'{{"log_id":"{log_id}","timestamp":"{timestamp}"{said}{between}{own}}},"raw_log":'
    return b"".join((head.encode(), raw, b"}"))


def timestamp_of(value: bytes) -> str:
    """The timestamp in what `written` answered."""
    return value[_BEFORE_STAMP : _BEFORE_STAMP + _STAMP].decode()


def plain_json(text: str, quotes: int = 0) -> bytes | None:
    """The JSON of a text that has no character which JSON writes in another way but for `quotes` quotes; else None.

    Any part of it without a quote may then stand in JSON as it is. A long text has none: written, it may not fit.
    """
    if not text.isascii() or len(text) > _LONGEST:
        return None
    json = orjson.dumps(text)
    return json if len(json) == len(text) + quotes + 2 else None
