-- Where in its stream the event of a dead letter stood, so that it can be sent once more; empty where nobody knows.
ALTER TABLE dead_letters ADD COLUMN stream BLOB NOT NULL DEFAULT x'';
ALTER TABLE dead_letters ADD COLUMN seq BLOB NOT NULL DEFAULT x'';
