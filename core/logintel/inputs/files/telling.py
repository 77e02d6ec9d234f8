"""Telling: what a person must know of files, each thing once, and how many bytes could no longer be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import structlog

from logintel.source import SourceContext

#: Troubles that are told at a time; all are logged.
_MOST: Final = 100
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Telling:
    """Says each problem once. `unread_bytes`: known to have been in files, gone before they were read."""

    context: SourceContext
    unread_bytes: int = 0
    _told: set[str] = field(default_factory=set)
    _before: dict[str, str] = field(default_factory=dict)
    _now: dict[str, str] = field(default_factory=dict)

    @property
    def troubles(self) -> Mapping[str, str]:
        """Files that could not be read at the last look or since → why; 100 at most."""
        return dict(islice((self._before | self._now).items(), _MOST))

    def look(self) -> None:
        """A look begins: what cannot be read is met again in it."""
        self._before, self._now = self._now, {}

    def problem(self, path: str, reason: str) -> None:
        """A file that cannot be read."""
        self._now[path] = reason
        text = f"{path}: {reason}"
        if text not in self._told:
            self._told.add(text)
            self.context.report(text)

    def notice(self, text: str) -> None:
        """A file that is left out on purpose."""
        if text not in self._told:
            self._told.add(text)
            self.context.notice(text)

    def unread(self, path: str, read_up_to: int, lost: int | None, event: str) -> None:
        """A file is gone, or holds something else now. `lost`: bytes of it that were seen and not read; None: its size
        was not known, because it went while nothing looked."""
        if not lost:
            _log.warning(event, path=path, read_up_to=read_up_to, unread_bytes=lost)
            return
        self.unread_bytes += lost
        _log.error(
            event,
            path=path,
            read_up_to=read_up_to,
            unread_bytes=lost,
            remedy="restore the file beside it if there is a copy; rotate by rename and keep one rotated file",
        )
