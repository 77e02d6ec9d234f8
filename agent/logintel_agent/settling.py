"""Settling: what a batch becomes, as the ledger counts it, and what of it stays on this host."""

from __future__ import annotations

from collections import Counter
from typing import Final

from logintel.event import MAX_ENCODED
from logintel_agent.dead_letters import Refusal
from logintel_agent.ledger import Settled
from logintel_agent.outgoing import CUT, Outgoing

_CUT: Final = f"longer than {MAX_ENCODED} bytes: sent cut, with the tag {CUT}; this is the whole"
_HELD_BACK: Final = "the configured processing held it back"


def settled_by(out: Outgoing, read: int) -> Settled:
    """The outcome of a batch of `read` events, once what is sent of it is acknowledged. It has at least one event."""
    records, _, dropped, _ = out
    if not dropped:  # by far the most
        return Settled(records[0].seq, records[-1].seq, read, len(records), {}, {})
    ends = [records[0].seq, records[-1].seq] if records else []
    ends += [dropped[0].seq, dropped[-1].seq]
    lost = Counter(event.reason for event in dropped if event.original is None)
    kept = Counter(event.reason for event in dropped if event.original is not None)
    return Settled(min(ends), max(ends), read, len(records), lost, kept)


def refusals(out: Outgoing) -> list[Refusal]:
    """The whole of what is sent cut, and what is held back."""
    cut = [Refusal(event.original or b"", event.seq, "send", event.reason, _CUT) for event in out.cut]
    held = [
        Refusal(event.original, event.seq, "process", event.reason, _HELD_BACK)
        for event in out.dropped
        if event.original is not None
    ]
    return cut + held
