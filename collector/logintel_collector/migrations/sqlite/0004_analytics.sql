-- What the analyst has counted: a row for each series and period, with all its metrics as JSON.

CREATE TABLE analytics (
    aggregation_period TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    dimension TEXT NOT NULL,
    value TEXT NOT NULL,
    metrics TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (aggregation_period, dimension, timestamp, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_analytics_updated_at ON analytics (updated_at);

-- The same under the names of the index engineering_analytics, a row for each metric.
CREATE VIEW engineering_analytics AS
SELECT
    metric.key AS metric_name,
    CASE WHEN metric.key IN ('log_events', 'log_size_bytes', 'log_errors', 'log_outliers') THEN 'counter' ELSE 'gauge'
        END AS metric_type,
    analytics.timestamp AS timestamp,
    metric.value AS value,
    CASE analytics.dimension WHEN '' THEN '{}' ELSE json_object(analytics.dimension, analytics.value) END AS dimensions,
    analytics.aggregation_period AS aggregation_period
FROM analytics, json_each(analytics.metrics) AS metric;

-- What the analyst goes on from.
CREATE TABLE analytics_state (
    key BLOB PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
