"""The data directory: where a run keeps its state when nothing else is said."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """`$XDG_STATE_HOME/logintel`, by default ~/.local/state/logintel (XDG Base Directory Specification 0.8).

    A user without a home is a service's: /var/lib/logintel.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    # The specification: a relative path is invalid and must be ignored.
    if state.is_absolute():
        return state / "logintel"
    try:
        return Path.home() / ".local" / "state" / "logintel"
    except RuntimeError:
        return Path("/var/lib/logintel")
