"""Predicates of geo_point fields."""

from __future__ import annotations

from logintel_collector.query.geo import Point, distance, points
from logintel_collector.query.reading import Predicate, values_of
from logintel_collector.query.tree import Exists, Leaf, Near, Within


def on_points(leaf: Leaf) -> Predicate:
    """A leaf of a geo_point."""
    read = values_of(leaf.field.source)
    if isinstance(leaf, Exists):
        return lambda source: any(True for _ in points(read(source)))
    if isinstance(leaf, Near):
        centre, metres = Point(leaf.latitude, leaf.longitude), leaf.metres
        return lambda source: any(distance(centre, found) <= metres for found in points(read(source)))
    assert isinstance(leaf, Within)
    top, left, bottom, right = leaf.top, leaf.left, leaf.bottom, leaf.right

    def inside(found: Point) -> bool:
        if not bottom <= found.latitude <= top:
            return False
        if left > right:
            return found.longitude >= left or found.longitude <= right
        return left <= found.longitude <= right

    return lambda source: any(map(inside, points(read(source))))
