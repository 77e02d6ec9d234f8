"""The data directory: where a run keeps its state when nothing else is said."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """`$XDG_STATE_HOME/logintel`, by default ~/.local/state/logintel (XDG Base Directory Specification 0.8)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification: a relative path is invalid and must be ignored.
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "logintel"  # noqa: PTH117 - text
