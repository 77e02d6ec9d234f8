"""Source type `audit-table`: the rows that an application adds to an audit table in SQLite."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

from pydantic import Field

from logintel.batch import Batch, Cursor
from logintel.event import Event
from logintel.hooks import hookimpl
from logintel.source import Source, SourceConfig


class AuditTableSource(Source):
    """Table `audit (id INTEGER PRIMARY KEY, at TEXT, actor TEXT, action TEXT)`; `at` is UTC, `2026-01-02 03:04:05`."""

    type = "audit-table"

    class Config(SourceConfig):
        database: Annotated[Path, Field(description="The SQLite file.")]
        interval: Annotated[float, Field(description="Seconds between two looks for new rows.", gt=0)] = 5

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        last = cursors.get("audit", 0)
        while True:
            rows = await asyncio.to_thread(self._rows_after, last)
            if not rows:
                await self.idle(self.config.interval)
                continue
            last = rows[-1][0]
            yield Batch(
                [event(*row) for row in rows], last, stream="audit", spans=[(row[0] - 1, row[0]) for row in rows]
            )

    def _rows_after(self, last: Cursor) -> list[tuple[int, str, str, str]]:
        """At most 1,000: a batch stays in memory until it is acknowledged."""
        with closing(sqlite3.connect(f"file:{self.config.database}?mode=ro", uri=True)) as database:
            return database.execute(
                "SELECT id, at, actor, action FROM audit WHERE id > ? ORDER BY id LIMIT 1000", (last,)
            ).fetchall()


def event(row: int, at: str, actor: str, action: str) -> Event:
    """An audit row as an event."""
    return Event(
        raw=f"{at} {actor} {action}",
        message=f"{actor} {action}",
        timestamp=f"{at[:10]}T{at[11:19]}.000000Z",
        metadata={"audit_id": row, "user": actor},
        format="audit-table",
    )


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [AuditTableSource]
