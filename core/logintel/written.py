"""Written events: events of which a format has written the JSON itself, without making the values in between.

What most lines of a log consist of needs no change to stand in JSON. For such lines a format answers with text that is
copied, which costs half of what values cost that are made, kept and written.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from logintel.event import Event, Level


class Written(NamedTuple):
    """The same as an Event, in the words of JSON.

    raw_json   the record, as a JSON text with its quotes
    timestamp  as in Event
    said       members of the event (level, message, parsed_fields), each behind a comma
    own        members of its metadata, each behind a comma
    names      names of those, the same object for many events
    format     as in Event
    """

    raw_json: bytes
    timestamp: str | None
    said: str
    own: str
    names: frozenset[str]
    format: str

    @property
    def raw(self) -> str:
        """The record."""
        raw: str = orjson.loads(self.raw_json)
        return raw

    def event(self) -> Event:
        """As an Event, for who needs values."""
        said = orjson.loads(f'{{"":0{self.said}}}')
        metadata = orjson.loads(f'{{"":0{self.own}}}')
        del metadata[""]
        raw, fields = self.raw, said.get("parsed_fields", {})
        level: Level | None = said.get("level")
        return Event(raw, said.get("message", raw), self.timestamp, level, fields, metadata, [], self.format)


def plain_json(text: str, quotes: int = 0) -> bytes | None:
    """The JSON of a text that has no character which JSON writes in another way but for `quotes` quotes; else None.

    Any part of it without a quote may then stand in JSON as it is.
    """
    if not text.isascii():
        return None
    written = orjson.dumps(text)
    return written if len(written) == len(text) + quotes + 2 else None
