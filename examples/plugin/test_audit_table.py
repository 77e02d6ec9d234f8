"""The audit table keeps the contract of every source: `pip install pytest logintel ./plugin && pytest plugin`."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from audit_table import AuditTableSource

from logintel.source import Source, SourceContext
from logintel.testing import ReplayableContract

ROWS = 2500


class TestAuditTable(ReplayableContract):
    def source(self, directory: Path, context: SourceContext) -> Source:
        config = AuditTableSource.Config(name="audit", type="audit-table", database=directory / "shop.sqlite")
        return AuditTableSource(config, context)

    def fill(self, directory: Path) -> Collection[str]:
        rows = [
            (3 * n + 1, "2026-01-02 03:04:05", "ann" if n % 5 else "", f"action {n}\n\x00\u20ac") for n in range(ROWS)
        ]
        with closing(sqlite3.connect(directory / "shop.sqlite")) as database:
            database.execute("CREATE TABLE audit (id INTEGER PRIMARY KEY, at TEXT, actor TEXT, action TEXT)")
            database.executemany("INSERT INTO audit VALUES (?, ?, ?, ?)", rows)
            database.commit()
        return [f"{at} {actor} {action}" for _, at, actor, action in rows]
