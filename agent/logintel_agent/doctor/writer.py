"""The writer: a program that appends numbered lines to its log and keeps it open until it is told to reopen it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from logintel.inputs.files.text import codec_of


@dataclass(slots=True)
class Writer:
    """`written` is the number of lines so far; the next line's number is one more. `each_time`: it opens the log anew
    for each burst of lines, as tools that run now and then do."""

    log: Path
    encoding: str | None
    each_time: bool = False
    written: int = 0
    _fd: int = -1

    def write(self, count: int) -> None:
        """Append `count` lines at once."""
        if self._fd < 0 or self.each_time:
            self.reopen()
        codec = codec_of(b"", self.encoding).name
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        first = self.written + 1
        text = "".join(f"{stamp} INFO logintel-doctor line {n:08} of the trial\n" for n in range(first, first + count))
        os.write(self._fd, text.encode(codec, "replace"))
        self.written += count

    def reopen(self) -> None:
        """Close the log and open what has its name now; made where there is none."""
        self.close()
        self._fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Let the log go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
