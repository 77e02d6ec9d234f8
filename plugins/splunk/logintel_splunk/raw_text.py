"""Raw text: lines of any format, about which the query string says all there is to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from logintel.formats import Format
from logintel_splunk.answers import refusal
from logintel_splunk.epoch import stamp_of
from logintel_splunk.records import Record, Said


def said_of(query: Mapping[str, str], indexes: frozenset[str]) -> tuple[Said, str | None]:
    """What the query string says of all lines, and their timestamp. Raises Refusal with codes 6 or 7."""
    said = Said.of(query)
    if indexes and said.index_name is not None and said.index_name not in indexes:
        raise refusal(7)
    try:
        return said, stamp_of(query.get("time"))
    except ValueError:
        raise refusal(6) from None


def raw_records(text: str, form: Format, said: Said, stamp: str | None) -> Iterator[Record]:
    """A record for each line, but that lines which belong together (a stack trace) are one, as they are in a file."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    starts = form.framer().starts(lines)
    for start, end in pairwise(sorted({0, *starts, len(lines)})):
        raw = "\n".join(lines[start:end]).rstrip()
        if raw and not raw.isspace():
            yield Record(raw, raw, stamp, said, {})
