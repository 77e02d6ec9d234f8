"""Fields of a document: how a configuration names one, how it is read, and whether a document is like a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field

from logintel.condition import condition, inside
from logintel.config.process import Condition
from logintel.enricher import Enriched
from logintel.event import PARSED_FIELDS, Json

_TOP: Final = ("message", "raw_log", "level", "category", "source_id")


def _readable(path: Any) -> str:
    section, _, name = str(path).partition(".")
    if path in _TOP or (section == "metadata" and name) or (section == "parsed_fields" and name in PARSED_FIELDS):
        return str(path)
    raise ValueError(f"expected {', '.join(_TOP)}, metadata.NAME or parsed_fields.NAME, got {path!r}")


def one_or_more(value: Any) -> Any:
    """A list of what may be written alone."""
    return value if isinstance(value, list | tuple) else (value,)


#: The path of a field, such as metadata.user.id.
FieldPath: TypeAlias = Annotated[str, BeforeValidator(_readable)]


class DocumentCondition(Condition):
    """What an event must be like; of several keys each must hold."""

    field: Annotated[
        FieldPath | None,
        Field(description="What the next keys are about: message, raw_log, category, metadata.NAME …"),
    ] = None


#: One condition, or several of which each must hold.
Where: TypeAlias = Annotated[tuple[DocumentCondition, ...], BeforeValidator(one_or_more), Field(min_length=1)]


def reader(path: str) -> Callable[[Enriched], Json]:
    """Reads the field at `path`; inside objects too, `metadata.user.id`. None: the event has none."""
    if path in _TOP:
        return lambda event: event.get(path)
    section, _, name = path.partition(".")
    if "." not in name:
        return lambda event: event[section].get(name)  # type: ignore[union-attr]
    return lambda event: inside(event[section], name)  # type: ignore[arg-type]


def holds(where: tuple[DocumentCondition, ...]) -> Callable[[Enriched], bool]:
    """Whether each of the conditions holds."""
    tests = [condition(each, reader) for each in where]
    return tests[0] if len(tests) == 1 else lambda event: all(test(event) for test in tests)


def metadata_of(event: Enriched) -> dict[str, Json]:
    """The event's metadata."""
    metadata = event["metadata"]
    assert isinstance(metadata, dict)
    return metadata
