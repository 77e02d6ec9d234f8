"""The backlog: what of a source is still to be read, as its ways say; of any number of streams the worst few."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from logintel.standing import Standing

#: Streams that are named, those with the most to read; and troubles that are told.
WORST: Final = 5
TROUBLES: Final = 5
#: Characters of a name and of a reason that are kept.
_NAME: Final = 200
_REASON: Final = 200


def backlog(standings: Iterable[Standing], spooled: int) -> dict[str, Any]:
    """As JSON: `lag_bytes` and `lag_records` (None: nobody can tell), `worst` streams, `troubles` and how many.

    `spooled`: bytes that were received and wait on this host.
    """
    lag: dict[str, int | None] = {"lag_bytes": spooled or None, "lag_records": None}
    worst: list[dict[str, Any]] = []
    troubles: dict[str, str] = {}
    for standing in standings:
        key = f"lag_{standing.unit}"
        lag[key] = (lag[key] or 0) + sum(place.behind for place in standing.streams.values())
        worst += _worst(standing)
        troubles |= standing.troubles
    told = [{"what": what[-_NAME:], "reason": why[:_REASON]} for what, why in islice(troubles.items(), TROUBLES)]
    return {**lag, "worst": worst[:WORST], "troubles": told, "troubled": len(troubles)}


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Of one source in two workers."""
    lags = {key: _added(one[key], other[key]) for key in ("lag_bytes", "lag_records")}
    worst = heapq.nlargest(WORST, [*one["worst"], *other["worst"]], key=lambda stream: int(stream["behind"]))
    told = {trouble["what"]: trouble for trouble in (*one["troubles"], *other["troubles"])}
    troubled = max(one["troubled"], other["troubled"], len(told))  # both look at the same files
    return {**lags, "worst": worst, "troubles": list(told.values())[:TROUBLES], "troubled": troubled}


def _worst(standing: Standing) -> list[dict[str, Any]]:
    behind = ((name, place) for name, place in standing.streams.items() if place.behind)
    most = heapq.nlargest(WORST, behind, key=lambda entry: entry[1].behind)
    return [{"stream": name[-_NAME:], "offset": place.offset, "behind": place.behind} for name, place in most]


def _added(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
