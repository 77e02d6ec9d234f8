"""Printable: text of logs as it may be shown on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line; what would move a terminal's cursor or colour it is shown as an escape, not sent."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
