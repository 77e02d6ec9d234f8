"""Agent and collector in one process, with no server."""
