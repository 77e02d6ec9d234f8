"""Documents as rows of log_entries, and the sources that they name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

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


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A row of log_sources as events tell of it. Compared by identity, which costs a set nothing."""

    id: uuid.UUID
    name: str
    type: str


def row_of(document: bytes) -> tuple[Row, Source]:
    """Its row, and the source that the row names. Raises ValueError that says what is wrong, without content."""
    event = orjson.loads(document)
    try:
        log_id, category, source = event["log_id"], event["category"], source_of(event)
        row = (
            entry_id(log_id),
            source.id,
            log_id[:_ID],
            _moment(event["timestamp"]),
            event["level"],
            event["message"],
            category and category[:_CATEGORY],
            orjson.dumps(tags).decode() if (tags := event["tags"]) else "[]",
            orjson.dumps(event["metadata"]).decode(),
            event["size_bytes"],
            event["processing_status"],
            _moment_of_batch(event["created_at"]),
        )
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


@lru_cache(maxsize=4096)
def _source(source_id: str, name: str | None, kind: str) -> Source:
    name = source_id if name is None else name[:_NAME]
    return Source(UUID(source_id), without_nul(name), without_nul(kind[:_TYPE]))


def _moment(text: str) -> datetime:
    """ISO 8601 as UTC, which is also what a text without a zone means. Raises ValueError, OverflowError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is UTC:
        return moment
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


#: The processor gives all documents of a batch one created_at.
_moment_of_batch = lru_cache(maxsize=64)(_moment)


def _storable_json(text: str) -> str:
    return orjson.dumps(without_nul(orjson.loads(text))).decode() if _NUL_ESCAPED in text else text
