"""Processing: what one source's configuration has done to its events, from the decoded batch to the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from logintel.batch import Batch
from logintel.budget import Budget, Overrun
from logintel.config.process import ProcessConfig, RedactionConfig
from logintel.encoder import Encoder
from logintel.event import Envelope, Event, TimestampOrigin
from logintel.identity import Identities, counted, identify
from logintel.lines import Lines
from logintel_agent.mark import Mark
from logintel_agent.outgoing import Outgoing, encoded, identified, records_of
from logintel_agent.processing.limits import Limits
from logintel_agent.processing.redaction import Redaction, cut_to_fit
from logintel_agent.processing.steps import changes, drops, has_patterns
from logintel_agent.processing.work import Work

_log = structlog.get_logger(__name__)


class Processing:
    """The steps of one source, in their order: filter, sample, change, redact, limit.

    An event's identity, and the stamp of events behind it, are as if nothing were dropped. What was done since the
    start is in `dropped` (by reason) and `redacted` (events by rule).
    """

    def __init__(
        self, source: str, config: ProcessConfig, redaction: RedactionConfig, directory: Path, worker: Path
    ) -> None:
        """`directory`: the agent's data directory, with the key; `worker`: the worker's own, with what quotas count.

        Raises Refused when the key cannot be used.
        """
        self._source = source
        self._drops, self._changes = drops(config), changes(config)
        self._budget = Budget(redaction.budget) if has_patterns(config) else None
        rules = (*redaction.rules, *config.redact)
        self._redaction = Redaction(rules, redaction, directory) if rules else None
        self._limits = Limits(source, config, worker)
        self.dropped: Counter[str] = Counter()

    @property
    def redacted(self) -> Mapping[str, int]:
        """Events in which a rule replaced something, by the rule's name."""
        return self._redaction.redactor.events if self._redaction else {}

    def wait(self) -> float:
        """Seconds that what `outgoing` answered must wait before it is sent; asked again then."""
        return self._limits.wait()

    def outgoing(self, batch: Batch, mark: Mark, envelope: Envelope) -> Outgoing:
        """See logintel_agent.outgoing."""
        stream = bytes.fromhex(mark.id)
        shared = self._redaction.shared(batch.metadata) if self._redaction else batch.metadata
        encoder = Encoder(envelope, shared)
        items, (log_ids, seqs) = self._identified(batch, stream, mark, encoder)
        reasons: dict[str, str] = {}

        def encode(event: Event, stamp: str, origin: TimestampOrigin, log_id: str) -> bytes:
            if reason := self._step(event, log_id):
                reasons[log_id] = reason
                return b""
            return encoder.encode(event, stamp, origin, log_id)

        values, stamp, origin = encoded(items, log_ids, mark, encode)
        work = Work(list(values), seqs)
        for place in [place for place, value in enumerate(values) if not value] if reasons else ():
            work.drop(place, reasons[log_ids[place]])
        ours = frozenset((*envelope.metadata, *(shared or ()), "timestamp_from", "format"))
        work.close()
        if self._redaction:
            texts = work.values if work.dropped else _texts(batch, items, work.values)
            self._redaction.redact(work, texts, ours)
            work.close()
        cut_to_fit(work, encoder, envelope, ours)
        self._limits.apply(work)
        self.dropped.update(event.reason for event in work.dropped)
        behind = replace(mark, cursor=batch.cursor, count=mark.count + len(values), stamp=stamp, origin=origin)
        return Outgoing(records_of(work.values, stream, work.seqs), behind, sorted(work.dropped), work.cut)

    def _identified(
        self, batch: Batch, stream: bytes, mark: Mark, encoder: Encoder
    ) -> tuple[Sequence[bytes | Event], Identities]:
        """The batch's events and their identities; decoded where a step looks at them."""
        events = batch.events
        if not (self._drops or self._changes) or not isinstance(events, Lines):
            return identified(batch, stream, mark, encoder)
        found, numbers = events.decode()
        spans = counted(mark.count, events) if batch.spans is None else batch.spans
        return found, identify(stream, [spans[number] for number in numbers])

    def _step(self, event: Event, log_id: str) -> str | None:
        """Why the event is dropped; else it is changed. A pattern that overruns its budget decides nothing."""
        if self._budget is None:
            return self._stepped(event, log_id)
        try:
            return self._budget.spend(self._stepped, event, log_id)
        except Overrun:
            _log.warning("pattern_overrun", source=self._source, log_id=log_id, effect="the event is sent")
            return None

    def _stepped(self, event: Event, log_id: str) -> str | None:
        for reason_to_drop in self._drops:
            if reason := reason_to_drop(event, log_id):
                return reason
        for change in self._changes:
            change(event)
        return None


def _texts(batch: Batch, items: Sequence[bytes | Event], values: Sequence[bytes]) -> Sequence[str | bytes]:
    """What holds all that the events say, the shorter the better: what is written only copies its record."""
    events = batch.events
    if not isinstance(events, Lines) or len(items) != len(events.texts):
        return values
    return [
        text if isinstance(item, bytes) else value
        for item, text, value in zip(items, events.texts, values, strict=True)
    ]
