"""The tables and columns that every store of metadata has; tests hold each dialect's migrations to this list."""

from __future__ import annotations

from typing import Final

#: The seed's ten tables (data-schema-design, "PostgreSQL Schema Design").
SEED_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "users": (
        "id", "username", "email", "password_hash", "role", "is_active", "preferences", "last_login", "created_at",
        "updated_at",
    ),
    "log_sources": (
        "id", "name", "type", "description", "configuration", "is_active", "health_status", "last_health_check",
        "created_at", "updated_at",
    ),
    "log_entries": (
        "id", "source_id", "log_id", "timestamp", "level", "message", "category", "tags", "metadata", "size_bytes",
        "processing_status", "created_at",
    ),
    "alerts": (
        "id", "title", "description", "severity", "status", "source_id", "log_entry_id", "rule_id", "triggered_at",
        "acknowledged_at", "resolved_at", "acknowledged_by", "resolved_by", "metadata", "escalation_level",
    ),
    "dashboards": (
        "id", "name", "description", "user_id", "configuration", "is_public", "tags", "created_at", "updated_at",
    ),
    "ml_models": (
        "id", "name", "type", "version", "status", "model_path", "accuracy", "precision_score", "recall_score",
        "f1_score", "training_data_size", "training_duration_seconds", "hyperparameters", "created_at", "updated_at",
    ),
    "system_config": (
        "id", "key", "value", "description", "category", "is_encrypted", "created_at", "updated_at",
    ),
    "alert_rules": (
        "id", "name", "description", "query", "conditions", "severity", "is_active", "created_by", "created_at",
        "updated_at",
    ),
    "user_sessions": (
        "id", "user_id", "session_token", "expires_at", "ip_address", "user_agent", "is_active", "created_at",
    ),
    "api_keys": (
        "id", "name", "key_hash", "user_id", "permissions", "expires_at", "is_active", "last_used", "created_at",
    ),
}  # fmt: skip

#: Ours beside them: what the roles keep in the transaction of their results.
OWN_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "rule_states": ("rule_id", "group_key", "revision", "state"),
    "outbox": ("id", "alert_id", "body", "created_at"),
    "outbox_deliveries": ("notification_id", "channel", "attempts", "retry_at", "error"),
    "source_health": (
        "source_id", "host", "installation", "is_active", "health_status", "reason", "changed_at", "heard_at", "detail",
        "memory",
    ),
}  # fmt: skip

#: Only embedded: on servers Kafka keeps these, in topics.
EMBEDDED_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "stream_positions": ("stream", "seq", "seen_at"),
    "dead_letters": (
        "log_id", "stage", "reason", "error", "attempts", "original", "config_version", "created_at", "stream", "seq",
        "dropped_at",
    ),
    "analytics": ("aggregation_period", "timestamp", "dimension", "value", "metrics", "updated_at"),
    "analytics_state": ("key", "value"),
}  # fmt: skip

#: Only on servers: embedded there is one process, and one reader with one offset.
SERVER_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "leases": ("name", "holder", "epoch", "expires_at"),
    "consumer_offsets": ("reader", "topic", "partition", "position", "epoch"),
}

#: The seed's indexes without the GIN ones, as `index: (table, column)`.
SEED_INDEXES: Final[dict[str, tuple[str, str]]] = {
    f"idx_{table}_{name}": (table, column)
    for table, name, column in (
        ("log_entries", "source_id", "source_id"),
        ("log_entries", "timestamp", "timestamp"),
        ("log_entries", "level", "level"),
        ("log_entries", "category", "category"),
        ("log_entries", "created_at", "created_at"),
        ("log_entries", "processing_status", "processing_status"),
        ("alerts", "source_id", "source_id"),
        ("alerts", "severity", "severity"),
        ("alerts", "status", "status"),
        ("alerts", "triggered_at", "triggered_at"),
        ("alerts", "rule_id", "rule_id"),
        ("dashboards", "user_id", "user_id"),
        ("dashboards", "is_public", "is_public"),
        ("ml_models", "type", "type"),
        ("ml_models", "status", "status"),
        ("user_sessions", "user_id", "user_id"),
        ("user_sessions", "token", "session_token"),
        ("user_sessions", "expires_at", "expires_at"),
    )
}
