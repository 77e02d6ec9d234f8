-- The health of each source on each host that has it; log_sources.health_status is what they make together. `detail` is
-- for people, `memory` is what the judgement goes on from.
CREATE TABLE source_health (
    source_id UUID NOT NULL REFERENCES log_sources (id) ON DELETE CASCADE,
    host VARCHAR(255) NOT NULL,
    installation VARCHAR(100) NOT NULL,
    is_active BOOLEAN NOT NULL,
    health_status VARCHAR(20) NOT NULL,
    reason TEXT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    memory JSONB NOT NULL,
    PRIMARY KEY (source_id, host)
);
