"""The counting bus: takes what the trial's agent sends, as a bus would, and counts which lines it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logintel.bus import Record
from logintel.event import decode
from logintel_agent.doctor.scratch import LINE


@dataclass(slots=True)
class Counting:
    """A Producer that acknowledges at once.

    seen    line → the identities (stream, seq) under which it came: more than one is a repeat that nobody can know
    resent  lines that came again under the same identity: the collector drops those
    """

    seen: dict[int, set[tuple[bytes, bytes]]] = field(default_factory=dict)
    resent: int = 0

    @property
    def repeated(self) -> int:
        """Lines that came again as new ones."""
        return sum(len(identities) - 1 for identities in self.seen.values())

    async def place(self, stream: bytes) -> None:
        """See Producer."""

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:  # noqa: ARG002
        """See Producer."""
        for record in records:
            event: dict[str, Any] = decode(record.value)
            self._count(event["raw_log"], (record.stream, record.seq))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def _count(self, text: str, identity: tuple[bytes, bytes]) -> None:
        for number in map(int, LINE.findall(text)):
            identities = self.seen.setdefault(number, set())
            self.resent += identity in identities
            identities.add(identity)
