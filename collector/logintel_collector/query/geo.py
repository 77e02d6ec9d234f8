"""Points on the earth: as documents and queries write them, and how far apart they are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from logintel.event import Json

#: Lucene's mean radius of the earth, metres.
RADIUS: Final = 6_371_008.7714
#: Metres in a unit of Elasticsearch's distances.
UNITS: Final = {
    "mm": 0.001, "millimeters": 0.001, "cm": 0.01, "centimeters": 0.01, "m": 1.0, "meters": 1.0,
    "km": 1000.0, "kilometers": 1000.0, "in": 0.0254, "inch": 0.0254, "ft": 0.3048, "feet": 0.3048, "yd": 0.9144,
    "yards": 0.9144, "mi": 1609.344, "miles": 1609.344, "nmi": 1852.0, "NM": 1852.0, "nauticalmiles": 1852.0,
}  # fmt: skip
_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DISTANCE: Final = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)
_WKT: Final = re.compile(rf"\s*POINT\s*\(\s*({_NUMBER})\s+({_NUMBER})(?:\s+{_NUMBER})?\s*\)\s*", re.IGNORECASE)
_EDGE: Final = rf"\s*({_NUMBER})\s*"
_BOX: Final = re.compile(rf"\s*(?:BBOX|ENVELOPE)\s*\({_EDGE},{_EDGE},{_EDGE},{_EDGE}\)\s*", re.IGNORECASE)
_GEOHASH: Final = {char: place for place, char in enumerate("0123456789bcdefghjkmnpqrstuvwxyz")}
_EXPECTED: Final = 'expected a point such as {"lat": 48.2, "lon": 16.4}, "48.2,16.4", [16.4, 48.2], "POINT (16.4 48.2)"'


class Point(NamedTuple):
    """Degrees."""

    latitude: float
    longitude: float


class Cell(NamedTuple):
    """What a geohash stands for, degrees."""

    top: float
    left: float
    bottom: float
    right: float


def metres(value: Json, unit: str = "m") -> float:
    """A distance: `12km`, or a number of `unit`. Raises ValueError."""
    match = _DISTANCE.fullmatch(str(value).strip()) if isinstance(value, str | int | float) else None
    name = match and (match[2] or unit)
    if match is None or name not in UNITS:
        raise ValueError(f"{value!r} is not a distance: expected a number and one of m, km, mi, yd, ft, nmi")
    found = float(match[1]) * UNITS[name]
    if not 0 < found < math.inf:
        raise ValueError("expected a distance above zero")
    return found


def point(value: Json) -> Point:
    """A point of a query. Raises ValueError."""
    found = _point(value)
    if found is None:
        raise ValueError(_EXPECTED)
    if not -90 <= found.latitude <= 90:
        raise ValueError(f"latitude {found.latitude} is outside -90 to 90")
    if not -180 <= found.longitude <= 180:
        raise ValueError(f"longitude {found.longitude} is outside -180 to 180")
    return found


def points(value: Json) -> Iterator[Point]:
    """The points of a document's field: one, or a list of them; what is none is left out, longitudes are wrapped."""
    found = _point(value)
    if found is not None:
        yield Point(found.latitude, wrapped(found.longitude))
    elif isinstance(value, list):
        for item in value:
            yield from points(item)


def distance(one: Point, other: Point) -> float:
    """Great-circle distance by haversine, metres."""
    latitude, latitude_2 = math.radians(one.latitude), math.radians(other.latitude)
    across = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    along = math.sin((latitude_2 - latitude) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(along + math.cos(latitude) * math.cos(latitude_2) * across)))


def wrapped(longitude: float) -> float:
    """Within -180 to 180."""
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def box_of_text(text: str) -> Cell | None:
    """`BBOX (left, right, top, bottom)`; None: it is none."""
    match = _BOX.fullmatch(text)
    if match is None:
        return None
    left, right, top, bottom = map(float, match.groups())
    return Cell(top, left, bottom, right)


def cell(text: str) -> Cell | None:
    """What a geohash stands for; None: it is none."""
    if not text or len(text) > 12 or any(char not in _GEOHASH for char in text):
        return None
    low, high = [-180.0, -90.0], [180.0, 90.0]
    side = 0
    for char in text:
        for bit in (16, 8, 4, 2, 1):
            middle = (low[side] + high[side]) / 2
            (low if _GEOHASH[char] & bit else high)[side] = middle
            side = 1 - side
    return Cell(high[1], low[0], low[1], high[0])


def _point(value: Json) -> Point | None:
    if isinstance(value, dict):
        if value.get("type") in ("Point", "point") and isinstance(value.get("coordinates"), list):
            return _point(value["coordinates"])
        return _pair(value.get("lat"), value.get("lon"))
    if isinstance(value, list):
        return _pair(value[1], value[0]) if len(value) in (2, 3) else None
    return _of_text(value) if isinstance(value, str) else None


def _of_text(text: str) -> Point | None:
    if match := _WKT.fullmatch(text):
        return Point(float(match[2]), float(match[1]))
    if "," in text:
        latitude, _, longitude = text.partition(",")
        return _pair(latitude.strip(), longitude.strip())
    found = cell(text)
    return found and Point((found.top + found.bottom) / 2, (found.left + found.right) / 2)


def _pair(latitude: Json, longitude: Json) -> Point | None:
    numbers = []
    for value in (latitude, longitude):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        try:
            numbers.append(float(value))
        except (ValueError, OverflowError):
            return None
    return Point(*numbers) if all(map(math.isfinite, numbers)) else None
