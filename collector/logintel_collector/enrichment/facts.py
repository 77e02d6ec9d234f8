"""Enricher `facts`: what is known of a source, a host or anything else that an event names, from a table.

The table stands in the configuration, or in a file: YAML (`name: {fact: value}`) or CSV (the first column
is the name, the first row the facts' names).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from logintel.config.document import read_yaml
from logintel.config.process import Scalar
from logintel.config.section import ConfigPath
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Json
from logintel_collector.enrichment.fields import FieldPath, metadata_of, reader
from logintel_collector.enrichment.watched_file import WatchedFile

_MAX_ROWS: Final = 1_000_000
Table = Mapping[str, Mapping[str, Json]]


class FactsEnricher(Enricher):
    """Puts the facts of the row that a field names into metadata; what an event says itself stays."""

    type: ClassVar[str] = "facts"

    class Config(EnricherConfig):
        """What is known of a source or a host."""

        by: Annotated[
            FieldPath, Field(description="What names the row: metadata.source, metadata.host, metadata.service …")
        ] = "metadata.host"
        file: Annotated[
            ConfigPath | None, Field(description="The table as a file, .yaml or .csv; read again when replaced.")
        ] = None
        table: Annotated[
            dict[str, dict[str, Scalar]], Field(description="The table itself: names, and the facts of each.")
        ] = Field(default_factory=dict)

        @model_validator(mode="after")
        def _either(self) -> Self:
            if (self.file is None) == (not self.table):
                raise ValueError("expected either `file` or `table`")
            if self.file and self.file.suffix not in (".yaml", ".yml", ".csv"):
                raise ValueError(f"{self.file.name}: expected a file that ends in .yaml or .csv")
            return self

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._read = reader(config.by)
        self._table: Table = config.table
        remedy = "write rows of a name and its facts; docs/enrichment.md shows both forms"
        self._file = WatchedFile(config.file, read_table, remedy) if config.file else None

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        if self._file:
            self._file.renewed()
        table = self._file.value if self._file else self._table
        for event in events:
            name = self._read(event)
            facts = table.get(name) if isinstance(name, str) else None
            if facts:
                metadata = metadata_of(event)
                for fact, value in facts.items():
                    metadata.setdefault(fact, value)


def read_table(path: Path) -> Table:
    """Name → facts. Raises OSError, and ValueError that says what is wrong where."""
    return _csv(path) if path.suffix == ".csv" else _yaml(path)


def _yaml(path: Path) -> Table:
    document = read_yaml(path)
    for problem in document.problems:
        raise ValueError(str(problem).removeprefix(f"{path}:"))
    table = {}
    for name, facts in document.value.items():
        if not isinstance(facts, dict) or any(isinstance(value, dict | list) for value in facts.values()):
            raise ValueError(f"line {document.place((name,)).line}: {name}: expected facts, each a name and a value")
        table[name] = facts
    return table


def _csv(path: Path) -> Table:
    table: dict[str, dict[str, Json]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        names = next(rows, [])[1:]
        if not names or not all(names):
            raise ValueError("line 1: expected a row of column names, the first of which stands for the name")
        for row in rows:
            if len(row) > len(names) + 1 or len(table) >= _MAX_ROWS:
                raise ValueError(f"line {rows.line_num}: more values than columns, or more than {_MAX_ROWS:,} rows")
            if row and row[0]:
                table[row[0]] = {name: value for name, value in zip(names, row[1:], strict=False) if value}
    return table
