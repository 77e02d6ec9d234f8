"""The enricher: the class that a plugin author writes to complete events at the collector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from logintel.config.section import Section
from logintel.event import Json

#: An event in the form of the index: log_id, source_id, timestamp, level, message, raw_log, category, tags, metadata,
#: parsed_fields, geo_location (only where an enricher has put it), size_bytes, processing_status, created_at.
Enriched: TypeAlias = dict[str, Json]


class EnricherConfig(Section):
    """The key that every enricher has."""

    type: Annotated[str, Field(description="Enricher type, such as geoip, user_agent, facts or category.")]


@dataclass(frozen=True)
class EnricherContext:
    """What the collector lends an enricher.

    now        the clock, UTC
    read_only  nothing may be written: somebody only looks at what would happen (`logintel explain`)
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    read_only: bool = False


EnricherConfigClass: TypeAlias = type[EnricherConfig]


class Enricher(ABC):
    """Completes events between the bus and the stores: facts, categories, levels, whatever follows from what they say.

    The collector makes one instance per processor and calls it from one thread. What it does to an event must follow
    from that event, its configuration and the files that it reads, never from the other events of a batch: a replay
    batches otherwise. It may change `level`, `message`, `category`, `tags`, `metadata`, `parsed_fields` and
    `geo_location`; what an event says itself stays, unless changing that is what the enricher is for.

    An exception loses nothing: the events are enriched again one by one, and those it fails on go on without it,
    tagged `_unenriched`, named in `metadata.enrich_failed` and counted.
    """

    type: ClassVar[str]
    Config: ClassVar[EnricherConfigClass] = EnricherConfig
    #: Whether an event it fails on must not go on: then it is kept as a dead letter.
    fails_closed: ClassVar[bool] = False

    def __init__(self, config: Any, context: EnricherContext) -> None:
        """Raises Refused when it cannot work as configured. What takes long belongs into the first `enrich`."""
        self.config = config
        self.context = context

    @abstractmethod
    def enrich(self, events: Sequence[Enriched]) -> None:
        """Complete the events in place. No network and no waiting: see `prepare`."""

    async def prepare(self, events: Sequence[Enriched]) -> None:  # noqa: B027 - most enrichers need nothing from a network
        """Fetch what `enrich` will need for these events, within a bound of its own. Called before it where it is
        defined, with the events as the bus has them; it must not change them."""
