"""The refusal of a query: which clause, and why."""

from __future__ import annotations


class QueryError(ValueError):
    """A query that cannot be compiled.

    clause  its path, such as `bool.filter[1].term`
    reason  what is wrong and what is supported
    """

    def __init__(self, clause: str, reason: str) -> None:
        super().__init__(f"{clause}: {reason}" if clause else reason)
        self.clause = clause
        self.reason = reason
