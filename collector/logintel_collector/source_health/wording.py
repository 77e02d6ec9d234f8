"""Wording: durations and amounts as people read them."""

from __future__ import annotations


def lag_text(size: int | None, records: int | None) -> str:
    """As people read it; `-` where nobody can tell."""
    parts = [] if size is None else [_size(size)]
    parts += [] if records is None else [f"{records:,} records"]
    return " + ".join(parts) or "-"


def lasted(seconds: float) -> str:
    """A duration as people read it, in its largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


def _size(size: int) -> str:
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
