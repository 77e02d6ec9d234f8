-- The seed's ten tables, and what the embedded collector keeps beside them.
--
-- Types: uuid, varchar, jsonb and timestamps are TEXT (timestamps: UTC, 27 characters, so text order is time order),
-- booleans are 0 and 1, decimals REAL, inet TEXT. The GIN indexes have no counterpart: document_terms narrows instead.

CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'user',
    is_active INTEGER DEFAULT 1,
    preferences TEXT,
    last_login TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TABLE log_sources (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT,
    configuration TEXT,
    is_active INTEGER DEFAULT 1,
    health_status TEXT DEFAULT 'unknown',
    last_health_check TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

-- document_id is ours: the row of `documents`. Without it VACUUM could renumber the rows.
CREATE TABLE log_entries (
    document_id INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    source_id TEXT REFERENCES log_sources (id),
    log_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    level TEXT,
    message TEXT,
    category TEXT,
    tags TEXT,
    metadata TEXT,
    size_bytes INTEGER,
    processing_status TEXT DEFAULT 'pending',
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE INDEX idx_log_entries_source_id ON log_entries (source_id);
CREATE INDEX idx_log_entries_timestamp ON log_entries (timestamp);
CREATE INDEX idx_log_entries_level ON log_entries (level);
CREATE INDEX idx_log_entries_category ON log_entries (category);
CREATE INDEX idx_log_entries_created_at ON log_entries (created_at);
CREATE INDEX idx_log_entries_processing_status ON log_entries (processing_status);

-- log_entry_id has no foreign key: retention deletes entries, the alerts that they raised stay.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    title TEXT NOT NULL,
    description TEXT,
    severity TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'OPEN',
    source_id TEXT REFERENCES log_sources (id),
    log_entry_id TEXT,
    rule_id TEXT,
    triggered_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    acknowledged_at TEXT,
    resolved_at TEXT,
    acknowledged_by TEXT REFERENCES users (id),
    resolved_by TEXT REFERENCES users (id),
    metadata TEXT,
    escalation_level INTEGER DEFAULT 0
) STRICT;

CREATE INDEX idx_alerts_source_id ON alerts (source_id);
CREATE INDEX idx_alerts_severity ON alerts (severity);
CREATE INDEX idx_alerts_status ON alerts (status);
CREATE INDEX idx_alerts_triggered_at ON alerts (triggered_at);
CREATE INDEX idx_alerts_rule_id ON alerts (rule_id);

CREATE TABLE dashboards (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    name TEXT NOT NULL,
    description TEXT,
    user_id TEXT REFERENCES users (id),
    configuration TEXT NOT NULL,
    is_public INTEGER DEFAULT 0,
    tags TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE INDEX idx_dashboards_user_id ON dashboards (user_id);
CREATE INDEX idx_dashboards_is_public ON dashboards (is_public);

CREATE TABLE ml_models (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'TRAINING',
    model_path TEXT,
    accuracy REAL,
    precision_score REAL,
    recall_score REAL,
    f1_score REAL,
    training_data_size INTEGER,
    training_duration_seconds INTEGER,
    hyperparameters TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE INDEX idx_ml_models_type ON ml_models (type);
CREATE INDEX idx_ml_models_status ON ml_models (status);

CREATE TABLE system_config (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    key TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL,
    description TEXT,
    category TEXT,
    is_encrypted INTEGER DEFAULT 0,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TABLE alert_rules (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    name TEXT NOT NULL,
    description TEXT,
    query TEXT NOT NULL,
    conditions TEXT NOT NULL,
    severity TEXT NOT NULL,
    is_active INTEGER DEFAULT 1,
    created_by TEXT REFERENCES users (id),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TABLE user_sessions (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    user_id TEXT REFERENCES users (id),
    session_token TEXT NOT NULL UNIQUE,
    expires_at TEXT NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    is_active INTEGER DEFAULT 1,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE INDEX idx_user_sessions_user_id ON user_sessions (user_id);
CREATE INDEX idx_user_sessions_token ON user_sessions (session_token);
CREATE INDEX idx_user_sessions_expires_at ON user_sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    user_id TEXT REFERENCES users (id),
    permissions TEXT,
    expires_at TEXT,
    is_active INTEGER DEFAULT 1,
    last_used TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

-- The index. id rises with arrival, so the oldest are the lowest; body is the Elasticsearch document as JSON.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- Words of documents, one row per block of neighbours (rowid = id / 4). It only narrows a search: no text, no
-- positions, no sizes are kept.
CREATE VIRTUAL TABLE document_terms USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'ascii'
);

-- Last (stream, seq) that is stored: how a repeat is known.
CREATE TABLE stream_positions (
    stream BLOB PRIMARY KEY NOT NULL,
    seq BLOB NOT NULL,
    seen_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    log_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    original BLOB NOT NULL,
    config_version TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (log_id, stage)
) STRICT;

CREATE INDEX idx_dead_letters_created_at ON dead_letters (created_at);

CREATE TABLE rule_states (
    rule_id TEXT NOT NULL,
    group_key TEXT NOT NULL,
    revision TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (rule_id, group_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    alert_id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX idx_outbox_created_at ON outbox (created_at);

-- How far a channel has come with telling a notification. retry_at NULL: done with it, delivered or given up.
CREATE TABLE outbox_deliveries (
    notification_id TEXT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at TEXT,
    error TEXT,
    PRIMARY KEY (notification_id, channel)
) STRICT, WITHOUT ROWID;

-- Where reading the bus goes on, per reader.
CREATE TABLE bus_offsets (
    reader TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
