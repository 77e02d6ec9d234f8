"""Settling: what a batch becomes, as the ledger counts it."""

from __future__ import annotations

from collections import Counter

from logintel_agent.ledger import Settled
from logintel_agent.outgoing import Outgoing


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
