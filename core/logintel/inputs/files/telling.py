"""Telling: what a person must know of files, each thing once, and how many bytes could no longer be read."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from logintel.source import SourceContext

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Telling:
    """Says each problem once. `unread_bytes`: known to have been in files, gone before they were read."""

    context: SourceContext
    unread_bytes: int = 0
    _told: set[str] = field(default_factory=set)

    def problem(self, path: str, reason: str) -> None:
        """A file that cannot be read."""
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
