"""Real Kafka, Elasticsearch and PostgreSQL on one machine, from pip alone: to try logintel in full, and to test it."""
