"""Enricher `category`: what kind of log an event is, by rules. Without it, the format and the source type say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from logintel.config.section import Section
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel_collector.enrichment.fields import Where, holds


class CategoryRule(Section):
    """A category, and the events that are of it."""

    category: Annotated[str, Field(min_length=1, max_length=100, description="The category.")]
    where: Annotated[Where, Field(description="Events of it; of several conditions each must hold.")]


class CategoryEnricher(Enricher):
    """Sets the category of the first rule that holds."""

    type: ClassVar[str] = "category"

    class Config(EnricherConfig):
        """What kind of log an event is."""

        rules: Annotated[tuple[CategoryRule, ...], Field(min_length=1, description="The first that holds counts.")]

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._rules = [(rule.category, holds(rule.where)) for rule in config.rules]

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        for event in events:
            for category, is_like_that in self._rules:
                if is_like_that(event):
                    event["category"] = category
                    break
