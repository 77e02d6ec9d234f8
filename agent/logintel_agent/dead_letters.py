"""Dead letters of the agent: a file of JSON lines that only its owner may read; what the bus refused, whole."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
import structlog

from logintel.bus import Record
from logintel.dead_letter import DeadLetter
from logintel.event import decode

#: Seconds between tries to write on a disk that refuses.
_PAUSE: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class DeadLetters:
    """Appends to `path`; `count` are those of this run."""

    path: Path
    count: int = 0

    async def keep(self, record: Record, error: str) -> None:
        """Return when the record is on disk; a full disk is waited out."""
        letter = DeadLetter(_log_id(record), "send", "refused_by_bus", error, 1, record.value, "", _now())
        line = orjson.dumps(asdict(letter) | {"original": base64.b64encode(letter.original).decode()}) + b"\n"
        while True:
            try:
                await asyncio.to_thread(self._append, line)
                break
            except OSError as failure:
                _log.error("dead_letter_not_saved", path=str(self.path), reason=str(failure), retry_in=_PAUSE)
                await asyncio.sleep(_PAUSE)
        self.count += 1
        _log.error("event_refused", log_id=letter.log_id, reason=error, kept_in=str(self.path))

    def _append(self, line: bytes) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            if os.write(fd, line) < len(line):
                os.ftruncate(fd, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(fd)
        finally:
            os.close(fd)


def _log_id(record: Record) -> str:
    try:
        return str(decode(record.value)["log_id"])
    except ValueError:
        return f"{record.stream.hex()}-{record.seq.hex()}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
