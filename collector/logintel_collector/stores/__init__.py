"""Stores: where documents, rows and state are kept."""
