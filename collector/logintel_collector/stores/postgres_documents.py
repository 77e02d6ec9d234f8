"""Documents as rows of log_entries, and the sources that they name."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID  # asyncpg's own: read from text in an eighth of the time

from logintel.identity import named_id


class Row(NamedTuple):
    """A row of log_entries as PostgreSQL reads it: times in UTC, tags and metadata as JSON."""

    id: str
    source_id: str
    log_id: str
    timestamp: str
    level: str | None
    category: str | None
    size_bytes: int
    processing_status: str
    created_at: str
    message: str
    tags: str
    metadata: str


COLUMNS: Final = Row._fields
#: What text and jsonb of PostgreSQL cannot hold is shown as Unicode's replacement character.
_NUL, _INSTEAD, _NUL_ESCAPED = "\0", "\N{REPLACEMENT CHARACTER}", r"\u0000"
#: Characters of columns that have a limit; the whole text is in the document.
_CATEGORY, _NAME, _TYPE, _ID = 100, 100, 50, 255
#: The most that an integer of PostgreSQL's is.
_INTEGER: Final = 2**31 - 1
#: Without the class's own constructor, which takes longer.
_new: Final = tuple.__new__
#: Characters of a time as the processor writes it.
_STAMP: Final = len("2026-03-04T05:06:07.000000Z")
#: Sources that are remembered.
_SOURCES: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A row of log_sources as events tell of it; `text`: its id. Compared by identity, which costs a set nothing."""

    id: uuid.UUID
    name: str
    type: str
    text: str


class _Document(msgspec.Struct, gc=False):
    """What a row needs of a document; the rest of it is passed over, and what is JSON in the row stays bytes."""

    log_id: str
    source_id: str
    timestamp: str
    level: str | None
    message: str
    category: str | None
    tags: msgspec.Raw
    metadata: msgspec.Raw
    size_bytes: Annotated[int, msgspec.Meta(ge=-_INTEGER - 1, le=_INTEGER)]
    processing_status: str
    created_at: str


_decode: Final = msgspec.json.Decoder(_Document).decode


def row_of(document: bytes) -> tuple[Row, Source]:
    """Its row, and the source that the row names. Raises ValueError that says what is wrong, without content."""
    try:
        event = _decode(document)
        metadata = _object(event.metadata)
        source = _sources.get(event.source_id) or _new_source(event.source_id, metadata)
        log_id, category = event.log_id, event.category
        row = _new(
            Row,
            (
                str(entry_id(log_id)),
                source.text,
                log_id[:_ID],
                _in_utc(event.timestamp),
                event.level,
                category and category[:_CATEGORY],
                event.size_bytes,
                event.processing_status,
                _in_utc(event.created_at),
                event.message,
                str(event.tags, "utf-8"),
                metadata,
            ),
        )
    except msgspec.DecodeError as error:
        # It names a type and a place.
        raise ValueError(f"not a document of ours: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        # Its message may quote a value.
        raise ValueError(f"not a document of ours: {type(error).__name__}") from None
    return row, source


def source_of(document: Mapping[str, Any]) -> Source:
    """The source of a document. Raises ValueError, KeyError, TypeError, AttributeError where it names none."""
    metadata = document["metadata"]
    name, kind = metadata.get("source"), metadata.get("source_type")
    return _source(
        document["source_id"], name if name.__class__ is str else None, kind if kind.__class__ is str else "custom"
    )


def entry_id(log_id: str) -> uuid.UUID:
    """log_id, or for an id of another system one made from it."""
    found: uuid.UUID
    try:
        found = UUID(log_id)
    except ValueError:
        found = UUID(named_id("row", log_id))
    return found


def lines_of(rows: Iterable[Row]) -> bytes:
    """Rows as COPY reads them (PostgreSQL's documentation of COPY, "Text Format")."""
    lines = []
    for row in rows:
        id_, source, log_id, moment, level, category, size, status, created_at, message, tags, metadata = row
        texts = f"{message}\t{tags}\t{metadata}"
        if "\\" in texts or "\n" in texts or "\r" in texts or texts.count("\t") != 2:
            texts = "\t".join(map(_escaped, (message, tags, metadata)))
        lines.append(
            f"{id_}\t{source}\t{_short[log_id] if id_ != log_id else id_}\t{moment}\t{_short[level]}\t"
            f"{_short[category]}\t{size}\t{_short[status]}\t{created_at}\t{texts}\n"
        )
    return "".join(lines).encode()


def storable(row: Row) -> Row:
    """The row without NUL."""
    texts = {name: without_nul(value) for name, value in row._asdict().items()}
    return Row(**{**texts, "tags": _storable_json(row.tags), "metadata": _storable_json(row.metadata)})


def without_nul(value: Any) -> Any:
    """U+FFFD for each NUL of a text, or of the texts of a JSON value."""
    if isinstance(value, str):
        return value.replace(_NUL, _INSTEAD)
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


@lru_cache(maxsize=_SOURCES)
def _source(source_id: str, name: str | None, kind: str) -> Source:
    name = source_id if name is None else name[:_NAME]
    found = UUID(source_id)
    return Source(found, without_nul(name), without_nul(kind[:_TYPE]), str(found))


def _object(raw: msgspec.Raw) -> str:
    """Raises TypeError."""
    text = str(raw, "utf-8")
    if text[0] != "{":
        raise TypeError("expected an object")
    return text


def _new_source(source_id: str, metadata: str) -> Source:
    """The source as its first document tells of it, which is what log_sources keeps. Raises as `source_of`."""
    if len(_sources) >= _SOURCES:
        _sources.clear()
    source = _sources[source_id] = source_of({"source_id": source_id, "metadata": orjson.loads(metadata)})
    return source


#: By source_id: those whose name and type need not be looked for in a document's metadata.
_sources: Final[dict[str, Source]] = {}


def _in_utc(text: str) -> str:
    """A time that PostgreSQL reads as UTC, which is what one without a zone means too. Raises as `datetime` does.

    The processor's own form is taken as it is: PostgreSQL judges what stands in it.
    """
    if len(text) == _STAMP and text[-1] == "Z":
        return text
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _escaped(text: str) -> str:
    """A value without what ends one in COPY's text format."""
    return text.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


class _Short(dict[str | None, str]):
    """Short values that come again and again, escaped; None is COPY's NULL. Forgotten when there are too many."""

    def __missing__(self, text: str | None) -> str:
        if len(self) >= _SOURCES:
            self.clear()
        found = self[text] = r"\N" if text is None else _escaped(text)
        return found


_short: Final = _Short()


def _storable_json(text: str) -> str:
    return orjson.dumps(without_nul(orjson.loads(text))).decode() if _NUL_ESCAPED in text else text
