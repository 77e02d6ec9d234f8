"""Samples: texts in the configuration with the events that they have to become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import Field

from logintel.config.section import Section
from logintel.event import Event, Json
from logintel.formats import Format, Framer, Reading, decode_records

#: What an event has that a sample may state.
_PARTS: Final = ("timestamp", "level", "message", "tags", "parsed_fields", "metadata")


class Sample(Section):
    """Text as it stands in a log, and what it has to become."""

    text: Annotated[str, Field(description="A record, or several, each from the start of a line.")]
    events: Annotated[
        tuple[dict[str, Any], ...],
        Field(min_length=1, description=f"For each record what its event has to have: any of {', '.join(_PARTS)}."),
    ]
    now: Annotated[datetime | None, Field(description="The time to take for now, where stamps have no year.")] = None


def differences(
    sample: Sample, form: Format, framing: Callable[[], Framer] | None, reading: Callable[[datetime], Reading]
) -> list[str]:
    """What is not as the sample says, in words; empty: nothing."""
    lines = sample.text.removesuffix("\n").split("\n")
    starts = (framing or form.framer)().starts(lines)
    records = ["\n".join(lines[first:end]).rstrip() for first, end in pairwise([*starts, len(lines)])]
    now = sample.now or datetime.now(UTC)
    events, _ = decode_records(form, records, reading(now if now.tzinfo else now.replace(tzinfo=UTC)))
    if len(events) != len(sample.events):
        return [f"expected {len(sample.events)} events, got {len(events)}"]
    return [
        f"event {number}: {text}"
        for number, (event, expected) in enumerate(zip(events, sample.events, strict=True), start=1)
        for text in _wrong(event, expected)
    ]


def _wrong(event: Event, expected: Mapping[str, Any]) -> Iterator[str]:
    parts: dict[str, Json] = {
        "timestamp": event.timestamp,
        "level": event.level,
        "message": event.message,
        "tags": list(event.tags),
        "parsed_fields": event.fields,
        "metadata": event.metadata,
    }
    if reason := event.metadata.get("parse_error"):
        yield f"{reason}"
    for name, value in expected.items():
        if name not in parts:
            yield f"{name}: an event has no such part; known: {', '.join(_PARTS)}"
        else:
            yield from _unequal((name,), _moment(value) if name == "timestamp" else value, parts[name])


def _unequal(place: Sequence[str], expected: Any, got: Json) -> Iterator[str]:
    """Where `got` lacks what is expected: of keys and values only those that are stated."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name, value in expected.items():
            yield from _unequal((*place, str(name)), value, got.get(str(name)))
    elif expected != got:
        yield f"{'.'.join(place)}: expected {expected!r}, got {got!r}"


def _moment(value: Any) -> Any:
    """A moment in ISO 8601, UTC where it names no zone, as it is sent; what is none stays."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return value
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
