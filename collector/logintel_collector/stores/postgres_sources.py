"""Sources in PostgreSQL: their health, written by the one keeper that judges it, and read by whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import orjson

from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.row import COMBINED, OVERVIEW, SourceRow, health_values, source_values
from logintel_collector.source_health.watch import Findings, Key
from logintel_collector.stores.postgres_documents import without_nul

#: Rows of one statement.
_PAGE: Final = 1000
_SAVE_SOURCES: Final = """
    INSERT INTO log_sources AS old (id, name, type, description, configuration)
    SELECT id, name, type, description, configuration
    FROM jsonb_populate_recordset(NULL::log_sources, $1::text::jsonb)
    ON CONFLICT (id) DO UPDATE SET
        description = coalesce(excluded.description, old.description),
        configuration = coalesce(excluded.configuration, old.configuration), updated_at = CURRENT_TIMESTAMP
    WHERE (coalesce(excluded.description, old.description), coalesce(excluded.configuration, old.configuration))
        IS DISTINCT FROM (old.description, old.configuration)
"""
_SAVE_HEALTH: Final = """
    INSERT INTO source_health
    SELECT * FROM jsonb_populate_recordset(NULL::source_health, $1::text::jsonb)
    ON CONFLICT (source_id, host) DO UPDATE SET
        is_active = excluded.is_active, health_status = excluded.health_status, reason = excluded.reason,
        changed_at = excluded.changed_at, heard_at = excluded.heard_at, detail = excluded.detail,
        memory = excluded.memory
"""
_REMOVE: Final = """
    UPDATE source_health SET is_active = false, health_status = 'unknown', reason = $4, changed_at = CURRENT_TIMESTAMP
    FROM unnest($1::uuid[], $2::text[]) AS gone (id, host)
    WHERE source_id = gone.id AND source_health.host = gone.host AND installation = $3 AND is_active
"""
_COMBINE: Final = f"""
    UPDATE log_sources SET health_status = health, is_active = active, last_health_check = CURRENT_TIMESTAMP
    FROM ({COMBINED.format(active="bool_or(is_active)")}) AS combined
    WHERE id = source_id AND id IN (SELECT source_id FROM source_health WHERE installation = $1)
"""  # noqa: S608 - ours
#: What came with an import, and no agent tells of.
_NOT_KNOWN: Final = """
    UPDATE log_sources SET health_status = 'unknown'
    WHERE health_status <> 'unknown' AND NOT EXISTS (SELECT FROM source_health WHERE source_id = id)
"""


async def memories(connection: asyncpg.Connection, installation: str) -> dict[Key, Memory]:
    """What was remembered of each source on each host that is watched."""
    rows = await connection.fetch(
        "SELECT source_id, host, memory FROM source_health WHERE installation = $1 AND is_active", installation
    )
    return {(str(row["source_id"]), row["host"]): Memory.from_json(orjson.loads(row["memory"])) for row in rows}


async def save(connection: asyncpg.Connection, installation: str, findings: Findings) -> None:
    """Write it, inside the caller's transaction."""
    states, removed, reason = findings
    for first in range(0, len(states), _PAGE):
        page = sorted(states[first : first + _PAGE], key=lambda state: (state.id, state.host))
        sources = {state.id: source_values(state) for state in page}
        await connection.execute(_SAVE_SOURCES, _json(list(sources.values())))
        await connection.execute(_SAVE_HEALTH, _json([health_values(state, installation) for state in page]))
    if removed:
        ids, hosts = zip(*removed, strict=True)
        await connection.execute(_REMOVE, list(ids), list(hosts), installation, reason)
    await connection.execute(_COMBINE, installation)
    await connection.execute(_NOT_KNOWN)


async def overview(connection: asyncpg.Connection) -> list[SourceRow]:
    """Every source, by name and host."""
    return [SourceRow.of(row) for row in await connection.fetch(OVERVIEW)]


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return orjson.dumps(without_nul(list(rows))).decode()
