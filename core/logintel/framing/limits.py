"""Bounds of one record: what is longer is cut, at the same line whenever it is read."""

from __future__ import annotations

from typing import Final

#: Lines of one record; blank ones between its lines count.
MAX_LINES: Final = 1_000
#: Characters of one record, line ends included.
MAX_CHARACTERS: Final = 1024 * 1024
