"""minimum_should_match: how many optional clauses must match, in all of Elasticsearch's forms."""

from __future__ import annotations

import re
import struct
from typing import Final

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


def should_match(spec: int | str, clauses: int) -> int:
    """The number for so many clauses: `2`, `-1`, `75%`, `-25%`, `3<90%`, `2<-25% 9<-3`. Raises ValueError."""
    text = str(spec).strip()
    if "<" in text:
        return _conditional(re.sub(r"\s*<\s*", "<", text), clauses)
    if text.endswith("%"):
        share = _float32(clauses * _integer(text[:-1], spec) * _float32(0.01))
        needed = int(share) if share >= 0 else clauses + int(share)
    else:
        number = _integer(text, spec)
        needed = number if number >= 0 else clauses + number
    return max(needed, 0)


def _conditional(text: str, clauses: int) -> int:
    """The last `n<spec` whose n is below the number of clauses; all clauses where there is none."""
    needed = clauses
    for part in text.split():
        limit, _, spec = part.partition("<")
        if clauses <= _integer(limit, text):
            return needed
        needed = should_match(spec, clauses)
    return needed


def _integer(text: str, spec: int | str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"minimum_should_match {spec!r} is unknown: expected forms such as 2, -1, 75%, 2<75%")
    return int(text)


def _float32(number: float) -> float:
    """Elasticsearch multiplies in single precision; the rounding decides at the edges."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])
