"""Queries: Elasticsearch Query DSL and Lucene query strings, compiled to predicates over documents."""
