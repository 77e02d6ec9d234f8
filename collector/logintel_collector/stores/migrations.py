"""Migrations: the numbered SQL files of a dialect, which bring its tables to this version."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final, Literal, NamedTuple

_NAME: Final = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")


class Migration(NamedTuple):
    """A numbered step; `sql` is a script without transaction statements."""

    version: int
    name: str
    sql: str


def migrations(dialect: Literal["sqlite", "postgresql"]) -> list[Migration]:
    """The steps that come with this version, in order."""
    folder = files("logintel_collector") / "migrations" / dialect
    return sorted(
        Migration(int(match[1]), match[2], entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _NAME.fullmatch(entry.name))
    )
