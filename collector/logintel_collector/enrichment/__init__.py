"""Enrichment: what the collector adds to events, by enrichers in the order of the configuration."""
