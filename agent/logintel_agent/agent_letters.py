"""The agent's letters: those that every worker on this host has kept, to be found and taken away."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from logintel.locking import DirectoryLocked
from logintel.refused import Refused
from logintel_agent.dead_letter_files import DeadLetterFiles
from logintel_agent.dead_letters import LETTERS, DeadLettersSection
from logintel_agent.kept_letter import Kept

#: Seconds that the agent may take to write a letter of its own.
_PATIENCE: Final = 10.0


class Place(NamedTuple):
    """A letter, and where it is."""

    files: DeadLetterFiles
    line: bytes
    kept: Kept


class AgentLetters:
    """The letters under an agent's data directory. The agent may run or not."""

    def __init__(self, directory: Path, bounds: DeadLettersSection) -> None:
        found = sorted(directory.glob(f"worker-*/{LETTERS}"))
        self._workers = [DeadLetterFiles(path, bounds.max_bytes, bounds.max_age) for path in found]

    @property
    def damaged(self) -> int:
        """Lines that could not be read."""
        return sum(files.damaged for files in self._workers)

    @property
    def dropped(self) -> Counter[str]:
        """Letters that were dropped for a bound, by its name."""
        return sum((Counter(files.dropped()) for files in self._workers), Counter())

    def find(self) -> Iterator[Place]:
        """Every letter, of each worker oldest first. Raises OSError."""
        for files in self._workers:
            for line, kept in files.read():
                yield Place(files, line, kept)

    def remove(self, places: Iterable[Place]) -> int:
        """Take letters out of the files; how many were still there. Raises OSError, Refused."""
        lines: defaultdict[DeadLetterFiles, set[bytes]] = defaultdict(set)
        for files, line, _ in places:
            lines[files].add(line)
        return sum(_removed(files, of_it) for files, of_it in lines.items())


def _removed(files: DeadLetterFiles, lines: Collection[bytes]) -> int:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return files.remove(lines)
        except DirectoryLocked as error:
            if time.monotonic() > deadline:
                raise Refused(f"{error}; what was to be taken away is still there") from error
            time.sleep(0.05)
