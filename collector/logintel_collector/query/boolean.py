"""Boolean combination as Lucene's BooleanQuery and Elasticsearch's rules around it."""

from __future__ import annotations

from collections.abc import Sequence

from logintel_collector.query.should_match import should_match
from logintel_collector.query.tree import Node, Nothing, all_of, any_of, negate


def combine(
    must: Sequence[Node],
    should: Sequence[Node],
    must_not: Sequence[Node],
    minimum: int | str | None = None,
    *,
    adjust_pure_negative: bool = True,
) -> Node:
    """must (filter with it), should and must_not as one node. Raises ValueError for an unknown minimum_should_match.

    should is optional beside must, else one is needed. `minimum` says otherwise, but 0 does not free the only clauses.
    """
    if not must and not should:
        if must_not and not adjust_pure_negative:
            return Nothing()
        return all_of([negate(node) for node in must_not])
    needed = 0 if minimum is None else should_match(minimum, len(should))
    if not must:
        needed = max(needed, 1)
    return all_of([*must, any_of(should, needed), *(negate(node) for node in must_not)])
