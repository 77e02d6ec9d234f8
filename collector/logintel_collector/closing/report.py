"""The report of a closing: for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from logintel.identity import position_of
from logintel_collector.closing.closing import Missing, gap_text
from logintel_collector.closing.gather import Closed
from logintel_collector.printable import printable

_COLUMNS: Final = ("stage", "came", "done", "dropped", "dead letters", "missing")
#: Ranges with something missing that are printed; all are in the JSON.
_MOST: Final = 20


def as_json(closed: Closed) -> dict[str, Any]:
    """As values of JSON; a seq as (end offset, index)."""
    books, closing, ended = closed
    return {
        "closes": not closing.missing,
        "first_gap": closing.missing[0].stage if closing.missing else None,
        "stages": {stage: asdict(total) for stage, total in closing.stages.items()},
        "missing": [_missing_json(each) for each in closing.missing],
        "gaps": [asdict(gap) for gap in books.passed.gaps],
        "ended": [asdict(total) for total in ended],
        "kept_from": {stage: kept.first.isoformat() for stage, kept in closing.kept.items()},
    }


def lines(closed: Closed) -> Iterator[str]:
    """The table, then what waits, what was gone from the bus, and what is missing."""
    books, closing, ended = closed
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for stage, total in closing.stages.items():
        counts = (total.came, total.done, total.dropped, total.dead_letters, total.missing)
        rows.append((stage, *map(str, counts)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for stage, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([stage.ljust(widths[0]), *cells])
    for stage, total in closing.stages.items():
        if total.waiting:
            what = "still hold events back" if stage == "agent" else "wait for it to read on, and are not counted"
            yield f"{stage}: {total.waiting} streams {what}"
    if ended:
        streams, read = sum(total.streams for total in ended), sum(total.read for total in ended)
        yield f"{streams} streams have ended and were closed before: {read} events read"
    for gap in books.passed.gaps:
        yield f"{gap.reader}: {gap_text(gap)}"
    if closing.missing:
        yield f"first gap: {closing.missing[0].stage}"
    yield from map(_text, closing.missing[:_MOST])
    if len(closing.missing) > _MOST:
        yield f"… and {len(closing.missing) - _MOST} more: --json has all"


def _text(missing: Missing) -> str:
    stream = printable(f"{missing.stream} {missing.id.hex()} of {missing.host}, source {missing.source}")
    first, last = position_of(missing.first), position_of(missing.last)
    text = f"{missing.stage}: {missing.events} events of stream {stream} between seq {first} and {last}"
    return f"{text}: {missing.why}" if missing.why else text


def _missing_json(missing: Missing) -> dict[str, Any]:
    seq = [position_of(missing.first), position_of(missing.last)]
    whole = {name: value for name, value in asdict(missing).items() if name not in ("first", "last")}
    return {**whole, "id": missing.id.hex(), "seq": seq}
