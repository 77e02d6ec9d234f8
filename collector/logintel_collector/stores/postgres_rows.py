"""Rows of any table as JSON: how whole tables come into PostgreSQL, which itself converts each value to its column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson

from logintel_collector.stores.postgres_documents import without_nul


async def insert(connection: asyncpg.Connection, table: str, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows of one of our tables that are not there yet; how many. Keys that are no column are left out."""
    columns = await connection.fetch(
        "SELECT attname, atttypid = 'jsonb'::regtype AS json FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    json = {row["attname"] for row in columns if row["json"]}
    names = ", ".join(row["attname"] for row in columns if row["attname"] in rows[0])
    encoded = orjson.dumps([{name: _value(value, json=name in json) for name, value in row.items()} for row in rows])
    done = await connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, $1::text::json) "  # noqa: S608
        "ON CONFLICT DO NOTHING",
        encoded.decode(),
    )
    return int(done.rpartition(" ")[2])


def _value(value: Any, *, json: bool) -> Any:
    if json and isinstance(value, str):
        value = orjson.loads(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return without_nul(value)
