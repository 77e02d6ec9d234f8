"""The formats that come with logintel."""

from __future__ import annotations

from logintel.formats import Format
from logintel.hooks import hookimpl


@hookimpl
def formats() -> list[type[Format]]:
    """Every built-in format."""
    return []
