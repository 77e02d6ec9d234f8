"""The trial: which of given events each of given queries matches, as Elasticsearch would answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from logintel.event import Json
from logintel.refused import Refused
from logintel_collector.query import Query, QueryError, compile_dsl
from logintel_collector.query.mapping import ID, Mapping
from logintel_collector.rules.candidates import Candidates


class Event(NamedTuple):
    """A document, and its id."""

    id: str
    source: dict[str, Json]


@dataclass(slots=True)
class Verdict:
    """ids    the events that the query matches, in their order
    error  why it was refused; None: it was not
    """

    id: str
    ids: list[str] = field(default_factory=list)
    error: str | None = None

    def as_json(self) -> dict[str, Json]:
        """`{id, ids, total}`, or `{id, error}`."""
        if self.error is not None:
            return {"id": self.id, "error": self.error}
        return {"id": self.id, "ids": list(self.ids), "total": len(self.ids)}


def queries(path: Path, mapping: Mapping, now: Callable[[], datetime]) -> Iterator[tuple[Verdict, Query | None]]:
    """The queries of a file, each with an empty verdict; None: refused. Raises Refused for a line that is none.

    A line is `{id, query}` with Query DSL, or `{id, lucene}` with a query string, and perhaps default_field and
    default_operator.
    """
    for place, line in objects(path):
        body = line.get("query", _query_string(line))
        if "id" not in line or body is None:
            raise Refused(
                f"{path}:{place}: expected a rule, {{id, query}} or {{id, lucene}}: see `logintel rules test --help`"
            )
        verdict = Verdict(str(line["id"]))
        try:
            yield verdict, compile_dsl(body, mapping, now)
        except QueryError as error:
            verdict.error = str(error)
            yield verdict, None


def events(path: Path) -> Iterator[Event]:
    """The events of a file: `{_id, _source}`, or the document itself, named by _id, log_id, id or its line.

    Raises Refused for a line that is none.
    """
    for place, line in objects(path):
        inner = line.get("_source")
        source = dict(inner) if isinstance(inner, dict) else line
        name = next((str(line[key]) for key in (ID, "log_id", "id") if line.get(key) is not None), str(place))
        yield Event(name, {**source, ID: name})


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file, each with the number of its line. Raises Refused."""
    try:
        with path.open("rb") as file:
            for place, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise Refused(f"{path}:{place}: no JSON: {error}") from None
                if not isinstance(value, dict):
                    raise Refused(f"{path}:{place}: expected a JSON object")
                yield place, value
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def tried(rules: Iterable[tuple[Verdict, Query | None]], given: Iterable[Event]) -> list[Verdict]:
    """The verdicts, in the order of the rules. Each event is looked at once, and not kept."""
    verdicts, asked = [], []
    for verdict, query in rules:
        verdicts.append(verdict)
        if query:
            asked.append((verdict, query))
    candidates = Candidates.of([query.tree for _, query in asked])
    for event in given:
        for place in set(candidates.matching(event.source)):
            verdict, query = asked[place]
            if query.predicate(event.source):
                verdict.ids.append(event.id)
    return verdicts


def _query_string(line: dict[str, Any]) -> Json:
    if not isinstance(line.get("lucene"), str):
        return None
    options: dict[str, Json] = {key: line[key] for key in ("default_field", "default_operator") if key in line}
    return {"query_string": {"query": line["lucene"], "analyze_wildcard": True, **options}}
