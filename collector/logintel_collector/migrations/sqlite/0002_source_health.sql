-- The health of each source on each host that has it; log_sources.health_status is what they make together. `detail` is
-- for people, `memory` is what the judgement goes on from.
CREATE TABLE source_health (
    source_id TEXT NOT NULL REFERENCES log_sources (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    installation TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    health_status TEXT NOT NULL,
    reason TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    heard_at TEXT NOT NULL,
    detail TEXT NOT NULL,
    memory TEXT NOT NULL,
    PRIMARY KEY (source_id, host)
) STRICT, WITHOUT ROWID;
