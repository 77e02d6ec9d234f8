"""Enricher `level`: the level of events that state none, or another than is meant, by a table of words and by rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from logintel.config.section import Section
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Level
from logintel_collector.enrichment.fields import FieldPath, Where, holds, metadata_of, reader

#: Under which member of `metadata` stands the level that an event stated and that was replaced.
STATED: Final = "stated_level"


class LevelTable(Section):
    """Levels by the value of a field."""

    field: Annotated[FieldPath, Field(description="The field, such as metadata.severity.")]
    levels: Annotated[
        dict[str, Level], Field(min_length=1, description="Value → DEBUG, INFO, WARN, ERROR or FATAL; case is ignored.")
    ]


class LevelRule(Section):
    """A level, and the events that have it."""

    level: Annotated[Level, Field(description="DEBUG, INFO, WARN, ERROR or FATAL.")]
    where: Annotated[Where, Field(description="Events that have it; of several conditions each must hold.")]


class LevelEnricher(Enricher):
    """Sets the level by the first rule that holds, else by the first table that knows the value."""

    type: ClassVar[str] = "level"

    class Config(EnricherConfig):
        """Which level an event has."""

        rules: Annotated[
            tuple[LevelRule, ...], Field(description="The first that holds counts, before any table.")
        ] = ()
        tables: Annotated[tuple[LevelTable, ...], Field(description="The first that knows the value counts.")] = ()
        replace: Annotated[
            bool,
            Field(description="Whether a level that an event states is replaced; it is kept as metadata.stated_level."),
        ] = False

        @model_validator(mode="after")
        def _something(self) -> Self:
            if not self.rules and not self.tables:
                raise ValueError("expected `rules`, `tables` or both")
            return self

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._replace = config.replace
        self._rules = [(rule.level, holds(rule.where)) for rule in config.rules]
        self._tables = [
            (reader(table.field), {word.lower(): level for word, level in table.levels.items()})
            for table in config.tables
        ]

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        for event in events:
            stated = event["level"]
            if stated is not None and not self._replace:
                continue
            level = self._level(event)
            if level is None or level == stated:
                continue
            event["level"] = level
            if stated is not None:
                metadata_of(event).setdefault(STATED, stated)

    def _level(self, event: Enriched) -> Level | None:
        for level, is_like_that in self._rules:
            if is_like_that(event):
                return level
        for read, levels in self._tables:
            value = read(event)
            if value is not None and (found := levels.get(str(value).lower())):
                return found
        return None
