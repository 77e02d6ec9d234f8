"""Parameters of Query DSL clauses: what each may hold. Unknown ones are refused; all raise ValueError."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from logintel.event import Json
from logintel_collector.query.scalars import truth
from logintel_collector.query.tree import Everything, Node, Nothing

Body: TypeAlias = dict[str, Json]
#: Keys that change the score or the name of a clause, never what it matches.
NEUTRAL: Final = frozenset({"boost", "_name"})


def known_keys(body: Iterable[str], known: set[str]) -> None:
    for key in body:
        if key not in known and key not in NEUTRAL:
            supported = ", ".join(sorted(known | NEUTRAL))
            raise ValueError(f"{key!r} is not supported; supported: {supported}")


def field_value(body: Body, value_key: str, known: set[str], *, short: bool = True) -> tuple[str, Json, Body]:
    """The field, its value and its options, of `{field: value}` or `{field: {value_key: value, ...}}`."""
    if len(body) != 1:
        raise ValueError(f"expected one field, got {len(body)}")
    ((name, given),) = body.items()
    if not isinstance(given, dict):
        if not short:
            raise ValueError(f"expected an object for {name}")
        return name, given, {}
    known_keys(given, known | ({value_key} if value_key else set()))
    return name, given.get(value_key), given


def folds(options: Body) -> bool:
    return truth(options.get("case_insensitive", False))


def minimum_of(options: Body) -> int | str | None:
    value = options.get("minimum_should_match")
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise ValueError("minimum_should_match: expected a number or a text such as 75%")


def without_terms(options: Body) -> Node:
    wanted = str(options.get("zero_terms_query", "none")).lower()
    if wanted not in ("none", "all"):
        raise ValueError(f"zero_terms_query {wanted!r} is unknown: expected none, all")
    return Everything() if wanted == "all" else Nothing()


def operator_of(options: Body, name: str) -> bool:
    """Whether all of several must hold."""
    operator = str(options.get(name, "or")).lower()
    if operator not in ("or", "and"):
        raise ValueError(f"{name} {operator!r} is unknown: expected or, and")
    return operator == "and"


def number_of(options: Body, name: str) -> int:
    """A whole number from 0 on."""
    value = options.get(name, 0)
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if isinstance(value, bool) or number < 0:
        raise ValueError(f"{name}: expected a whole number from 0 on")
    return number
