"""Redaction of a batch: no event leaves unless it was searched to its end; one that cannot be stays on this host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from logintel.budget import Budget, Overrun
from logintel.config.process import Redact, RedactionConfig
from logintel.encoder import Encoder
from logintel.event import MAX_ENCODED, Envelope, Event, Json
from logintel.redaction.receipts import Receipts, kept_key
from logintel.redaction.redactor import Redactor
from logintel.redaction.rules import rules_of
from logintel_agent.outgoing import TOO_LONG, Dropped, shortened
from logintel_agent.processing.work import Work

#: Name of the key of receipts in the agent's data directory.
KEY_FILE: Final = "redaction.key"
#: Why an event is held back: its search took longer than its budget, or failed.
OVERRUN: Final = "redaction_overrun"
FAILED: Final = "redaction_failed"


class Redaction:
    """The redaction of one source. `redactor.events` counts, by rule."""

    def __init__(self, rules: Redact, config: RedactionConfig, directory: Path) -> None:
        """`directory`: the agent's data directory. Raises Refused when the key in it cannot be used."""
        key = config.key.get_secret_value().strip().encode() if config.key else kept_key(directory / KEY_FILE)
        self.redactor = Redactor(rules_of(rules), Receipts(key))
        self._budget = Budget(config.budget)
        self._shared: tuple[Mapping[str, Json] | None, Mapping[str, Json] | None] = None, None

    def shared(self, metadata: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
        """What a batch's events share, without secrets. Raises Overrun."""
        if metadata != self._shared[0]:
            self._shared = metadata, self._budget.spend(self.redactor.shared, metadata or {})
        return self._shared[1]

    def redact(self, work: Work, texts: Sequence[str | bytes], ours: Collection[str]) -> None:
        """Redact the events of `work`. `texts` hold all that these say; `ours`: metadata that the agent itself says."""
        for place in self.redactor.suspects(texts):
            value = work.values[place]
            try:
                work.values[place] = self._budget.spend(self.redactor.value, value, ours)
            except Overrun:
                work.drop(place, OVERRUN, value)
            except Exception:  # noqa: BLE001 - whatever it was: an event that was not searched must not leave
                work.drop(place, FAILED, value)


def cut_to_fit(work: Work, encoder: Encoder, envelope: Envelope, ours: Collection[str]) -> None:
    """Cut what is too long to be sent; after redaction, since half of a secret is not known to be one."""
    for place, value in enumerate(work.values):
        if len(value) <= MAX_ENCODED:
            continue
        work.cut.append(Dropped(work.seqs[place], TOO_LONG, value))
        work.values[place] = _cut(orjson.loads(value), encoder, envelope, ours)


def _cut(body: dict[str, Any], encoder: Encoder, envelope: Envelope, ours: Collection[str]) -> bytes:
    metadata = body["metadata"]
    event = Event(
        raw=body["raw_log"],
        message=body.get("message", ""),
        level=body.get("level"),
        fields=body.get("parsed_fields", {}),
        metadata={name: value for name, value in metadata.items() if name not in ours},
        tags=body.get("tags", [])[len(envelope.tags) :],
        format=metadata["format"],
    )
    return shortened(event, body["timestamp"], metadata["timestamp_from"], body["log_id"], encoder)
