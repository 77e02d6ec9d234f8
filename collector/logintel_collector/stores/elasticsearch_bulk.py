"""Bulk: documents into indices as bytes, each judged alone; as much at a time as the cluster takes."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError, without_content
from logintel_collector.stores.elasticsearch_mend import fault, mended

#: Bytes of one request before compression, and of all that are on their way: the least, the first, the most.
REQUEST: Final = 2 * 1024 * 1024
ROOM: Final = (64 * 1024, 8 * 1024 * 1024, 32 * 1024 * 1024)
#: Bytes by which the latter grows when all was taken.
GROWTH: Final = 256 * 1024
#: Seconds between tries of what is to be tried again: doubled from the first to the second number, full jitter.
PAUSE: Final = (0.1, 5.0)
#: Seconds that a call may take before it gives up. A consumer group waits for its members, but not for minutes.
PATIENCE: Final = 60.0
_PATH: Final = "/_bulk?filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason"
#: Bytes of an id, and how many.
_ID_BYTES: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
_ID_LENGTH: Final = 512
_BAD, _CONFLICT, _TOO_LARGE, _TOO_MANY = 400, 409, 413, 429
_log = structlog.get_logger(__name__)


def is_id(log_id: bytes) -> bool:
    """Whether Elasticsearch takes it as an _id, and JSON as it is."""
    return 0 < len(log_id) <= _ID_LENGTH and not log_id.translate(None, _ID_BYTES)


class Entry(NamedTuple):
    """A document on its way: `action` is its first line, up to the end; `body` one line of JSON."""

    action: bytes
    body: bytes
    original: Any = None
    mends: int = 0


class Refusal(NamedTuple):
    """A document that no further try would store: `reason` one word, `error` for a person, without content."""

    original: Any
    reason: str
    error: str
    attempts: int


@dataclass(slots=True)
class Outcome:
    """What became of entries.

    stored, repeats  how many are new, how many were there under their id
    refused          those that no further try would store
    mended           those that were, after each time; they are to be sent again
    again            those that are good and to be sent again
    trouble          why some are; None: none are
    """

    stored: int = 0
    repeats: int = 0
    refused: list[Refusal] = field(default_factory=list)
    mended: list[Entry] = field(default_factory=list)
    again: list[Entry] = field(default_factory=list)
    trouble: str | None = None

    def add(self, other: Outcome) -> None:
        """Count another's as well."""
        self.stored += other.stored
        self.repeats += other.repeats
        self.refused += other.refused
        self.mended += other.mended
        self.again += other.again
        self.trouble = other.trouble or self.trouble


class BulkWriter:
    """Stores entries. The bytes that are on their way halve when the cluster has too much, else grow slowly (AIMD)."""

    def __init__(self, client: ElasticsearchClient) -> None:
        self._client = client
        self._room = ROOM[1]
        self._request = REQUEST

    async def store(self, entries: Sequence[Entry]) -> Outcome:
        """Return when each is stored, was there before under its id, or is refused.

        Raises ElasticsearchError when the cluster is away or takes nothing for PATIENCE seconds: some may be stored.
        """
        total, waiting, pause = Outcome(), deque(entries), PAUSE[0]
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while waiting:
            wave = await self._wave(waiting)
            waiting.extend(wave.mended)
            waiting.extend(wave.again)
            before, wave.again = total.trouble, []
            total.add(wave)
            if wave.trouble is None:
                self._room, pause = min(self._room + GROWTH, ROOM[2]), PAUSE[0]
                continue
            self._room = max(self._room // 2, ROOM[0])
            if before is None:
                _log.warning("bulk_waits", reason=wave.trouble, effect="tries again; nothing is lost")
            if asyncio.get_running_loop().time() > deadline:
                raise ElasticsearchError(wave.trouble)
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - only jitter
            pause = min(2 * pause, PAUSE[1])
        return total

    async def _wave(self, waiting: deque[Entry]) -> Outcome:
        """Send as much of `waiting` as there is room for, in requests side by side."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send(chunk)) for chunk in self._chunks(waiting)]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        total = Outcome()
        for task in tasks:
            total.add(task.result())
        return total

    def _chunks(self, waiting: deque[Entry]) -> Iterator[list[Entry]]:
        room = self._room
        while waiting and room > 0:
            chunk: list[Entry] = []
            size, most = 0, min(self._request, room)
            while waiting and (not chunk or size + len(waiting[0].body) <= most):
                entry = waiting.popleft()
                chunk.append(entry)
                size += len(entry.body)
            room -= size
            yield chunk

    async def _send(self, chunk: list[Entry]) -> Outcome:
        body = b"\n".join([part for entry in chunk for part in entry[:2]]) + b"\n"
        try:
            answer = await self._client.ask("POST", _PATH, body)
        except ElasticsearchError as error:
            if error.status == _TOO_LARGE:
                return await self._send_less(chunk, len(body), error)
            if error.status == _TOO_MANY or (error.status or 0) >= 500:
                return Outcome(again=chunk, trouble=str(error))
            raise
        if not answer["errors"]:
            return Outcome(stored=len(chunk))
        return self._judged(chunk, answer["items"])

    async def _send_less(self, chunk: list[Entry], size: int, error: ElasticsearchError) -> Outcome:
        """In two halves; requests are smaller from now on."""
        if len(chunk) == 1:
            return Outcome(refused=[Refusal(chunk[0].original, "too_large", str(error), chunk[0].mends + 1)])
        self._request = max(min(self._request, size // 2), 1)
        _log.warning("bulk_too_large", bytes=size, effect="requests are smaller from now on; nothing is lost")
        outcome = await self._send(chunk[: len(chunk) // 2])
        outcome.add(await self._send(chunk[len(chunk) // 2 :]))
        return outcome

    def _judged(self, chunk: list[Entry], items: list[dict[str, Any]]) -> Outcome:
        """Each entry by its own answer."""
        outcome = Outcome()
        for entry, item in zip(chunk, items, strict=True):
            status = item["create"]["status"]
            if status < 300:
                outcome.stored += 1
            elif status == _CONFLICT:
                outcome.repeats += 1
            else:
                self._judge(entry, status, item["create"].get("error", {}), outcome)
        return outcome

    def _judge(self, entry: Entry, status: int, error: dict[str, str], outcome: Outcome) -> None:
        kind, reason = error.get("type", ""), without_content(error.get("reason", ""))
        at_fault = fault(kind) if status == _BAD else "index"
        better = mended(entry.body, reason, entry.mends) if at_fault != "index" else None
        if better is not None:
            outcome.mended.append(entry._replace(body=better, mends=entry.mends + 1))
        elif at_fault == "document":
            outcome.refused.append(Refusal(entry.original, "refused", f"{kind}: {reason}", entry.mends + 1))
        else:
            outcome.again.append(entry)
            outcome.trouble = f"{self._client.at}: {status} {kind}: {reason}"
