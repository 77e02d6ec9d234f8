"""Damage: what a reader of the segment log could not read, counted and logged once per place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Damage:
    """Counters that only rise.

    places   ranges that were skipped, and gaps in the numbers
    bytes    bytes in these ranges
    records  acknowledged records that are known to be missing by the gap in the numbers
    """

    places: int = 0
    bytes: int = 0
    records: int = 0

    def note(self, path: Path, offset: int, skipped: int, missing: int) -> None:
        """Count one place: `skipped` bytes before `offset` of `path`, and `missing` records."""
        self.places += 1
        self.bytes += skipped
        self.records += missing
        log = _log.error if missing else _log.warning
        log("segment_damaged", path=str(path), before=offset, bytes_skipped=skipped, records_missing=missing)
