"""Bulk: documents into indices as bytes, each judged alone; as much at a time as the cluster takes."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
import structlog

from logintel_collector.stores.elasticsearch import SLOW, ElasticsearchClient, ElasticsearchError, without_content
from logintel_collector.stores.elasticsearch_mend import fault, says_full
from logintel_collector.stores.elasticsearch_mender import Mender, Rejected

#: Bytes of one request before compression, and of all that are on their way: the least, the first, the most.
REQUEST: Final = 2 * 1024 * 1024
ROOM: Final = (64 * 1024, 8 * 1024 * 1024, 32 * 1024 * 1024)
#: Bytes by which the latter grows when all was taken.
GROWTH: Final = 256 * 1024
#: Seconds between tries of what is to be tried again: doubled from the first to the second number, full jitter.
PAUSE: Final = (0.1, 5.0)
#: Seconds that a call may take before it gives up. A consumer group waits for its members, but not for minutes.
PATIENCE: Final = 60.0
#: For a shard that is not there (red) it waits 30 s, not its usual minute: then the answers of the others come in time.
_PATH: Final = "/_bulk?timeout=30s&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
#: Bytes of an id, and how many.
_ID_BYTES: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
_ID_LENGTH: Final = 512
_BAD, _CONFLICT, _TOO_LARGE, _TOO_MANY = 400, 409, 413, 429
#: Words of a reason → what a person does about it.
_ADVICE: Final = {
    "flood-stage watermark": "a disk is nearly full: make room, and Elasticsearch lifts the block by itself",
    "[FORBIDDEN/": "somebody has blocked the index: lift its index.blocks",
    "closed": "open the index, or delete it",
    "primary shard is not active": "the index is red: bring back the node that has it, or restore it from a snapshot",
    "maximum normal shards open": "delete old indices, or raise cluster.max_shards_per_node",
}
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
    overflowed       how many were mended because their index has all the fields that it may have
    mended           those that were, after each time; they are to be sent again
    again            those that are good and to be sent again
    trouble          why some are; None: none are
    """

    stored: int = 0
    repeats: int = 0
    overflowed: int = 0
    refused: list[Refusal] = field(default_factory=list)
    mended: list[Entry] = field(default_factory=list)
    again: list[Entry] = field(default_factory=list)
    trouble: str | None = None

    def add(self, other: Outcome) -> None:
        """Count another's as well."""
        self.stored += other.stored
        self.repeats += other.repeats
        self.overflowed += other.overflowed
        self.refused += other.refused
        self.mended += other.mended
        self.again += other.again
        self.trouble = other.trouble or self.trouble


@dataclass(slots=True)
class Pace:
    """How much a cluster takes: it halves with what is too much, else grows slowly (AIMD).

    room     bytes that may be on their way
    request  bytes of one request
    """

    room: int = ROOM[1]
    request: int = REQUEST

    def faster(self) -> None:
        """All was taken."""
        self.room = min(self.room + GROWTH, ROOM[2])

    def slower(self) -> None:
        """Something was not."""
        self.room = max(self.room // 2, ROOM[0])


class BulkWriter:
    """Stores entries, as many at a time as `pace` says; `waits` is told why it waits, as soon as it does."""

    def __init__(
        self, client: ElasticsearchClient, pace: Pace | None = None, waits: Callable[[str], None] = lambda _: None
    ) -> None:
        self._client = client
        self._pace = pace or Pace()
        self._waits = waits
        self._mender = Mender(client)

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
                self._pace.faster()
                pause = PAUSE[0]
                continue
            self._pace.slower()
            if before is None:
                self._waits(wave.trouble)
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
        room = self._pace.room
        while waiting and room > 0:
            chunk: list[Entry] = []
            size, most = 0, min(self._pace.request, room)
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
            if error.status == _TOO_MANY or (error.status or 0) >= 500 or error.kind == SLOW:
                return Outcome(again=chunk, trouble=str(error))
            raise
        if not answer["errors"]:
            return Outcome(stored=len(chunk))
        return await self._judged(chunk, answer["items"])

    async def _send_less(self, chunk: list[Entry], size: int, error: ElasticsearchError) -> Outcome:
        """In two halves; requests are smaller from now on."""
        if len(chunk) == 1:
            return Outcome(refused=[Refusal(chunk[0].original, "too_large", str(error), chunk[0].mends + 1)])
        self._pace.request = max(min(self._pace.request, size // 2), 1)
        _log.warning("bulk_too_large", bytes=size, effect="requests are smaller from now on; nothing is lost")
        outcome = await self._send(chunk[: len(chunk) // 2])
        outcome.add(await self._send(chunk[len(chunk) // 2 :]))
        return outcome

    async def _judged(self, chunk: list[Entry], items: list[dict[str, Any]]) -> Outcome:
        """Each entry by its own answer."""
        outcome = Outcome()
        rejected: list[tuple[Entry, str, str]] = []
        for entry, item in zip(chunk, items, strict=True):
            (judged,) = item.values()  # by what the action line asks for: create, index
            status = judged["status"]
            if status < 300:
                outcome.stored += 1
                continue
            if status == _CONFLICT:
                outcome.repeats += 1
                continue
            error = judged.get("error", {})
            kind, reason = error.get("type", ""), without_content(error.get("reason", "")).rstrip(";")
            if status == _BAD and fault(kind) != "index":
                rejected.append((entry, kind, reason))
            else:
                outcome.again.append(entry)
                outcome.trouble = f"{self._client.at}: {status} {kind}: {reason}{_advice(reason)}"
        if rejected:
            await self._mend(rejected, outcome)
        return outcome

    async def _mend(self, rejected: list[tuple[Entry, str, str]], outcome: Outcome) -> None:
        bodies = await self._mender.mend(
            [Rejected(_index(entry), entry.body, reason, entry.mends) for entry, _, reason in rejected]
        )
        for (entry, kind, reason), body in zip(rejected, bodies, strict=True):
            if body is not None:
                outcome.mended.append(entry._replace(body=body, mends=entry.mends + 1))
                outcome.overflowed += says_full(reason)
            elif fault(kind) == "document":
                outcome.refused.append(Refusal(entry.original, "refused", f"{kind}: {reason}", entry.mends + 1))
            else:
                outcome.again.append(entry)
                outcome.trouble = f"{self._client.at}: {_BAD} {kind}: {reason}"


def _index(entry: Entry) -> str:
    """The index that an entry is for."""
    (action,) = orjson.loads(entry.action).values()
    return str(action["_index"])


def _advice(reason: str) -> str:
    """What to do about an index that takes nothing."""
    return next((f": {advice}" for said, advice in _ADVICE.items() if said in reason), "")
