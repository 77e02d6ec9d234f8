"""Dead letters of one worker: keeps what the bus refused and the whole of what was sent cut; waits out a full disk."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import structlog
from pydantic import Field

from logintel.bus import Record
from logintel.config.section import Section
from logintel.dead_letter import DeadLetter, Stage
from logintel.duration import Duration
from logintel.event import decode
from logintel.identity import named_id
from logintel.locking import DirectoryLocked
from logintel.size import Size
from logintel_agent.dead_letter_files import DeadLetterFiles
from logintel_agent.kept_letter import Kept, line_for
from logintel_agent.outgoing import TOO_LONG

#: Why the letter of a record that the bus never takes.
REFUSED: Final = "refused_by_bus"
#: Name of their directory in a worker's.
LETTERS: Final = "dead-letters"
#: Seconds between tries to write on a disk that refuses.
_PAUSE: Final = 1.0
#: Seconds between looks for letters that are too old.
EXPIRE_EVERY: Final = 600.0
#: Letters that are known again when a crash has them come twice; more than can be on their way at once.
_REMEMBERED: Final = 10_000
_log = structlog.get_logger(__name__)


class DeadLettersSection(Section):
    """Keys of the dead letters that the agent keeps."""

    max_bytes: Annotated[
        Size, Field(description="Room of each worker for them; the oldest are dropped, counted, when it is full.")
    ] = Size("256MiB")
    max_age: Annotated[Duration, Field(description="How long they are kept; older ones are dropped, counted.")] = (
        Duration("30d")
    )


class Refusal(NamedTuple):
    """An event that could not go on as it is. `value`: its bytes; `error` holds no content of it."""

    value: bytes
    seq: bytes
    stage: Stage
    reason: str
    error: str


class DeadLetters:
    """The letters in `directory`; `count` are those of this run. Raises OSError when the directory cannot be used.

    `config_version`: asked for the version in effect.
    """

    def __init__(self, directory: Path, bounds: DeadLettersSection, config_version: Callable[[], str]) -> None:
        self.count = 0
        self._files = DeadLetterFiles(directory, bounds.max_bytes, bounds.max_age)
        self._config_version = config_version
        self._refused: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict(
            ((found.kept.letter.log_id, found.kept.letter.reason), None) for found in self._files.newest()
        )
        self._turn = asyncio.Lock()
        self._expired = -EXPIRE_EVERY

    @property
    def directory(self) -> Path:
        """Where they are."""
        return self._files.directory

    async def keep(self, record: Record, error: str) -> None:
        """Return when a record that the bus refused is on disk; a full disk is waited out."""
        await self.keep_all(record.stream, [Refusal(record.value, record.seq, "send", REFUSED, error)])
        self._refused[record.stream].add(record.seq)

    async def keep_all(self, stream: bytes, refusals: Sequence[Refusal]) -> None:
        """Return when events of `stream` are on disk; a full disk is waited out. A known one is not kept again."""
        fresh = [kept for kept in self._letters(stream, refusals) if self._is_new(kept.letter)]
        lines = [line_for(kept) for kept in fresh]
        if lines:
            async with self._turn:
                await self._append(lines)
        self._remember(fresh)

    async def expire(self) -> None:
        """Drop what is too old. Call it as often as you like: it looks now and then."""
        if time.monotonic() - self._expired < EXPIRE_EVERY:
            return
        self._expired = time.monotonic()
        async with self._turn:
            try:
                await asyncio.to_thread(self._files.expire)
            except (OSError, DirectoryLocked) as failure:
                _log.warning("dead_letters_not_expired", reason=str(failure), effect="tried again later")

    def refused(self, stream: bytes, last: bytes) -> int:
        """How many records of `stream` up to seq `last` the bus has refused since this was last asked."""
        if stream not in self._refused:
            return 0
        waiting = self._refused.pop(stream)
        if later := {seq for seq in waiting if seq > last}:
            self._refused[stream] = later
        return len(waiting) - len(later)

    async def _append(self, lines: Sequence[bytes]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._files.append, lines)
                break
            except (OSError, DirectoryLocked) as failure:
                _log.error("dead_letter_not_saved", path=str(self.directory), reason=str(failure), retry_in=_PAUSE)
                await asyncio.sleep(_PAUSE)

    def _letters(self, stream: bytes, refusals: Sequence[Refusal]) -> Iterator[Kept]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        version = self._config_version()
        for value, seq, stage, reason, error in refusals:
            log_id, source = _named(value, stream, seq)
            letter = DeadLetter(log_id, stage, reason, error, 1, value, version, now, stream, seq)
            yield Kept(letter, source)

    def _is_new(self, letter: DeadLetter) -> bool:
        return (letter.log_id, letter.reason) not in self._known

    def _remember(self, fresh: Sequence[Kept]) -> None:
        for kept in fresh:
            letter = kept.letter
            self._known[letter.log_id, letter.reason] = None
            # Of what was cut the rest has gone on: nothing is missing at the collector but a part of one text.
            say = _log.warning if letter.reason == TOO_LONG else _log.error
            say("dead_letter", log_id=letter.log_id, source=kept.source, reason=letter.reason, error=letter.error)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        self.count += len(fresh)


def _named(value: bytes, stream: bytes, seq: bytes) -> tuple[str, str]:
    """The event's id and its source's name."""
    try:
        event = decode(value)
    except ValueError:
        return named_id("record", stream.hex(), seq.hex()), ""
    metadata = event["metadata"]
    return str(event["log_id"]), str(metadata.get("source", "")) if isinstance(metadata, dict) else ""
