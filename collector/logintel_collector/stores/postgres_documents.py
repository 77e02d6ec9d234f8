"""Documents as rows of log_entries, and the sources that they name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID  # asyncpg's own: read from text in an eighth of the time

from logintel.identity import named_id

COLUMNS: Final = (
    "id", "source_id", "log_id", "timestamp", "level", "message", "category", "tags", "metadata", "size_bytes",
    "processing_status", "created_at",
)  # fmt: skip
#: The values of COLUMNS; tags and metadata as JSON.
Row: TypeAlias = tuple[Any, ...]

#: What text and jsonb of PostgreSQL cannot hold is shown as Unicode's replacement character.
_NUL, _INSTEAD, _NUL_ESCAPED = "\0", "\N{REPLACEMENT CHARACTER}", r"\u0000"
LOG_ID, TIMESTAMP = COLUMNS.index("log_id"), COLUMNS.index("timestamp")
_JSON: Final = frozenset((COLUMNS.index("tags"), COLUMNS.index("metadata")))
#: Characters of columns that have a limit; the whole text is in the document.
_CATEGORY, _NAME, _TYPE, _ID = 100, 100, 50, 255
#: Sources that are remembered.
_SOURCES: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A row of log_sources as events tell of it. Compared by identity, which costs a set nothing."""

    id: uuid.UUID
    name: str
    type: str


class _Document(msgspec.Struct, gc=False):
    """What a row needs of a document; the rest of it is passed over, and what is JSON in the row stays bytes."""

    log_id: str
    source_id: str
    timestamp: datetime
    level: str | None
    message: str
    category: str | None
    tags: msgspec.Raw
    metadata: msgspec.Raw
    size_bytes: int
    processing_status: str
    created_at: str


_decode: Final = msgspec.json.Decoder(_Document).decode


def row_of(document: bytes) -> tuple[Row, Source]:
    """Its row, and the source that the row names. Raises ValueError that says what is wrong, without content."""
    try:
        event = _decode(document)
        metadata = _object(event.metadata)
        source = _sources.get(event.source_id) or _new_source(event.source_id, metadata)
        log_id, moment, category = event.log_id, event.timestamp, event.category
        row = (
            entry_id(log_id),
            source.id,
            log_id[:_ID],
            moment if moment.tzinfo is UTC else _in_utc(moment),
            event.level,
            event.message,
            category and category[:_CATEGORY],
            str(event.tags, "utf-8"),
            metadata,
            event.size_bytes,
            event.processing_status,
            _moment_of_batch(event.created_at),
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


def storable(row: Row) -> Row:
    """The row without NUL."""
    return tuple(_storable_json(value) if place in _JSON else without_nul(value) for place, value in enumerate(row))


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
    return Source(UUID(source_id), without_nul(name), without_nul(kind[:_TYPE]))


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


def _in_utc(moment: datetime) -> datetime:
    """A time without a zone is in UTC. Raises OverflowError."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=64)
def _moment_of_batch(text: str) -> datetime:
    """The processor gives all documents of a batch one created_at. Raises ValueError, OverflowError."""
    return _in_utc(datetime.fromisoformat(text))


def _storable_json(text: str) -> str:
    return orjson.dumps(without_nul(orjson.loads(text))).decode() if _NUL_ESCAPED in text else text
