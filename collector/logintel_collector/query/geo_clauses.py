"""Query DSL clauses that ask where a point is: geo_distance and geo_bounding_box. Both raise ValueError."""

from __future__ import annotations

from typing import Final

from logintel.event import Json
from logintel_collector.query.geo import Cell, Point, box_of_text, cell, metres, point
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.mapping import Field
from logintel_collector.query.parameters import NEUTRAL, Body
from logintel_collector.query.scalars import required_text, truth
from logintel_collector.query.tree import Near, Node, Nothing, Within

_CHECKS: Final = {"validation_method", "ignore_unmapped"}


def geo_distance(leaves: Leaves, body: Body) -> Node:
    name, value = _place(body, {"distance", "unit", "distance_type", *_CHECKS})
    if body.get("distance_type", "arc") not in ("arc", "plane"):
        raise ValueError("distance_type: expected arc, plane")
    if "distance" not in body:
        raise ValueError("expected distance, such as 12km")
    far = metres(body["distance"], str(body.get("unit", "m")))
    centre = point(value)
    field = _field(leaves, name, body)
    return Nothing() if field is None else Near(field, centre.latitude, centre.longitude, far)


def geo_bounding_box(leaves: Leaves, body: Body) -> Node:
    name, value = _place(body, {"type", *_CHECKS})
    box = _box(value)
    if box.top < box.bottom:
        raise ValueError("the top of the box is below its bottom")
    field = _field(leaves, name, body)
    return Nothing() if field is None else Within(field, *box)


def _place(body: Body, known: set[str]) -> tuple[str, Json]:
    """The field and what it is compared with; everything else is an option."""
    named = [key for key in body if key not in known and key not in NEUTRAL]
    if len(named) != 1:
        raise ValueError(f"expected one field besides {', '.join(sorted(known))}")
    if str(body.get("validation_method", "STRICT")).upper() not in ("STRICT", "COERCE", "IGNORE_MALFORMED"):
        raise ValueError("validation_method: expected STRICT, COERCE, IGNORE_MALFORMED")
    return named[0], body[named[0]]


def _field(leaves: Leaves, name: str, body: Body) -> Field | None:
    """None: there is no such field, and that is no error."""
    field = leaves.mapping.fields.get(name)
    if field is None:
        if truth(body.get("ignore_unmapped", False)):
            return None
        raise ValueError(f"there is no geo_point {name} in the mapping")
    if field.kind != "geo":
        raise ValueError(f"field {name} of type {field.type_name} is no geo_point")
    return field


def _box(value: Json) -> Cell:
    if not isinstance(value, dict):
        raise ValueError("expected an object with the corners of the box")
    if "wkt" in value:
        found = box_of_text(required_text(value["wkt"]))
        if found is None:
            raise ValueError("wkt: expected BBOX (left, right, top, bottom)")
        return found
    if value.keys() == {"top", "left", "bottom", "right"}:
        top, left, bottom, right = (_degrees(value[key], key) for key in ("top", "left", "bottom", "right"))
        return _checked(Point(top, left), Point(bottom, right))
    if value.keys() == {"top_left", "bottom_right"}:
        return _checked(_corner(value["top_left"], "top_left"), _corner(value["bottom_right"], "bottom_right"))
    if value.keys() == {"top_right", "bottom_left"}:
        one, other = _corner(value["top_right"], "top_right"), _corner(value["bottom_left"], "bottom_left")
        return _checked(Point(one.latitude, other.longitude), Point(other.latitude, one.longitude))
    raise ValueError("expected top_left and bottom_right, top_right and bottom_left, or top, left, bottom and right")


def _corner(value: Json, name: str) -> Point:
    """A point; of a geohash the corner of that name."""
    square = cell(value) if isinstance(value, str) else None
    if square is None:
        return point(value)
    side, end = name.split("_")
    return Point(square.top if side == "top" else square.bottom, square.left if end == "left" else square.right)


def _degrees(value: Json, name: str) -> float:
    try:
        return float(required_text(value))
    except ValueError:
        raise ValueError(f"{name}: expected degrees") from None


def _checked(top_left: Point, bottom_right: Point) -> Cell:
    for corner in (top_left, bottom_right):
        point({"lat": corner.latitude, "lon": corner.longitude})
    return Cell(top_left.latitude, top_left.longitude, bottom_right.latitude, bottom_right.longitude)
