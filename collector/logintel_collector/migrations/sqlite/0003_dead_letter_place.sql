-- Where in its stream the event of a dead letter stood, so that it can be sent once more; empty where nobody knows.
ALTER TABLE dead_letters ADD COLUMN stream BLOB NOT NULL DEFAULT x'';
ALTER TABLE dead_letters ADD COLUMN seq BLOB NOT NULL DEFAULT x'';
-- When somebody dropped it: its content is gone, and the ledger knows that it is no loss.
ALTER TABLE dead_letters ADD COLUMN dropped_at TEXT;
