"""The enrichment: the configured enrichers over batches of events. One that fails loses nothing and stops nothing."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson
import structlog

from logintel.budget import Budget
from logintel.enricher import Enriched, Enricher
from logintel.event import Json
from logintel_collector.document import check_shape
from logintel_collector.enrichment.outcome import Outcomes, Withheld

#: Tag of an event that an enricher failed on, and the metadata that names which.
UNENRICHED: Final = "_unenriched"
FAILED: Final = "enrich_failed"
#: CPU seconds for a batch at once, and for an event alone with one enricher.
_BATCH_SECONDS: Final = 0.5
_EVENT_SECONDS: Final = 0.1
#: Seconds that an enricher may wait for a network, whatever bound it has of its own.
_PREPARE_SECONDS: Final = 10.0
#: Failures of an enricher between two of its log lines, the first of which is told at once.
_TELL_EVERY: Final = 10_000
_log = structlog.get_logger(__name__)


class Enrichment:
    """Enriches with `enrichers`, in their order. `failures` counts, by enricher type, events it failed on."""

    def __init__(self, enrichers: Sequence[Enricher]) -> None:
        self.enrichers = tuple(enrichers)
        self.failures: dict[str, int] = {enricher.type: 0 for enricher in enrichers}
        self._waiting = [each for each in enrichers if type(each).prepare is not Enricher.prepare]
        self._budgets: tuple[Budget, Budget] | None = None

    @property
    def prepares(self) -> bool:
        """Whether `prepare` does anything."""
        return bool(self._waiting)

    async def prepare(self, events: Iterable[Enriched]) -> None:
        """Let those enrichers that need a network fetch what they need; each bounds itself."""
        waiting = list(events)
        for enricher in self._waiting:
            try:
                async with asyncio.timeout(_PREPARE_SECONDS):
                    await enricher.prepare(waiting)
            except Exception as error:  # noqa: BLE001 - foreign code; `enrich` then goes without
                self._tell(enricher, error)

    def enrich(self, events: list[Enriched], fresh: Callable[[int], Enriched]) -> Outcomes:
        """Enrich the events in place. `fresh`: the event at a place of the batch, as it was before.

        What an event becomes depends on nothing else in the batch: where something fails, each event goes alone.
        """
        together, _ = self._limits()
        # Whose event it is that an enricher fails on, and which one's, shows where each goes alone.
        with suppress(Exception):
            return Outcomes(together.spend(self._together, events))
        bodies: list[bytes | Exception] = []
        unenriched = 0
        for place in range(len(events)):
            events[place], failed = self._alone(place, fresh)
            unenriched += bool(failed)
            bodies.append(_body(events[place], failed))
        return Outcomes(bodies, unenriched)

    def _together(self, events: list[Enriched]) -> list[bytes]:
        ids = [event["log_id"] for event in events]
        for enricher in self.enrichers:
            enricher.enrich(events)
        return [_checked(event, log_id) for event, log_id in zip(events, ids, strict=True)]

    def _alone(self, place: int, fresh: Callable[[int], Enriched]) -> tuple[Enriched, list[Enricher]]:
        """The event, enriched without those enrichers that fail on it."""
        _, alone = self._limits()
        failed: list[Enricher] = []
        while True:
            event = fresh(place)
            log_id = event["log_id"]
            for enricher in self.enrichers:
                if enricher in failed:
                    continue
                try:
                    alone.spend(_one, enricher, event, log_id)
                except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises, the event goes on
                    self._tell(enricher, error)
                    failed.append(enricher)
                    break
            else:
                return event, failed

    def _limits(self) -> tuple[Budget, Budget]:
        """Made in the thread that enriches: a configuration may be read in another."""
        if self._budgets is None:
            self._budgets = Budget(_BATCH_SECONDS), Budget(_EVENT_SECONDS)
        return self._budgets

    def _tell(self, enricher: Enricher, error: Exception) -> None:
        count = self.failures[enricher.type]
        self.failures[enricher.type] += 1
        if count % _TELL_EVERY:
            return
        effect = "the events are kept as dead letters" if enricher.fails_closed else "the events go on without it"
        remedy = "mend its configuration or its plugin; `logintel explain` shows what it does to a line"
        _log.error("enricher_failed", enricher=enricher.type, reason=_place(error), effect=effect, remedy=remedy)


def _one(enricher: Enricher, event: Enriched, log_id: Json) -> None:
    enricher.enrich([event])
    _checked(event, log_id)


def _checked(event: Enriched, log_id: Json) -> bytes:
    """The event as JSON. Raises ValueError when it is no document any more."""
    if event["log_id"] is not log_id:
        raise ValueError("the log_id was changed")
    check_shape(event)
    return orjson.dumps(event)


def _body(event: Enriched, failed: Sequence[Enricher]) -> bytes | Exception:
    """The event as JSON, marked with what failed on it."""
    if closed := [enricher.type for enricher in failed if enricher.fails_closed]:
        return Withheld(f"{closed[0]}_failed", "it could not be searched whole: mend the rule, then replay it")
    if failed:
        tags, metadata = event["tags"], event["metadata"]
        assert isinstance(tags, list)
        assert isinstance(metadata, dict)
        tags.append(UNENRICHED)
        metadata[FAILED] = [enricher.type for enricher in failed]
    try:
        return orjson.dumps(event)
    except orjson.JSONEncodeError as error:
        return error


def _place(error: Exception) -> str:
    """What was raised and where; not its text, which may be an event's."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
