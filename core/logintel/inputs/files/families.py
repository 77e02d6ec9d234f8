"""Families: whose a file is, where several workers read the same directories.

Decided by what the file holds and nothing else, so that every worker decides alike without asking: a file that is
renamed, copied and truncated, or compressed begins as it did, and stays with the worker that has its stream. New files
go by their first line.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from logintel.inputs.files.content import Content, open_content
from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.discovery import Found
from logintel.inputs.files.fingerprint import HEAD
from logintel.inputs.files.gzipped import GzipContent
from logintel.inputs.files.parked import Heads, Parked
from logintel.share import Share


@dataclass(slots=True)
class Families:
    """The files of `share` among those of one source. `whole`: nothing is being written (a run that ends)."""

    share: Share
    whole: bool
    _seats: dict[str, int] = field(default_factory=dict)
    _by_inode: dict[Inode, list[Parked]] = field(default_factory=dict)
    _heads: Heads = field(default_factory=Heads)
    _decided: dict[Inode, tuple[int, int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, share: Share, source: str, *, whole: bool) -> Families:
        """What is known of the source's streams from all checkpoints."""
        families, parked = cls(share, whole), []
        for saved in share.saved.get(source, ()):
            try:
                parked.append(Parked(saved.stream, FileCursor.from_json(saved.cursor)))
            except ValueError:
                continue  # its own worker says so, and reads the file again
            families._seats[saved.stream] = saved.seat
        families._heads = Heads.of(parked)
        for one in parked:
            families._by_inode.setdefault(one.cursor.inode, []).append(one)
        return families

    def mine(self, files: Iterable[Found]) -> list[Found]:
        """Those to look at: this worker's, and the empty ones, which are nobody's yet."""
        decided = self._decided
        self._decided = {}
        return [found for found in files if not found.status.st_size or self._owner(found, decided) == self.share.seat]

    def _owner(self, found: Found, decided: dict[Inode, tuple[int, int, int]]) -> int | None:
        size, modified = found.status.st_size, found.status.st_mtime_ns
        known = decided.get(found.inode)
        if known and known[:2] == (size, modified):
            self._decided[found.inode] = known
            return known[2]
        try:
            content = open_content(found.path)
        except OSError:
            return self.share.place(os.fsencode(found.path))  # one of them tells why it cannot be read
        try:
            owner = self._owner_of(found.inode, content)
        except OSError:
            return self.share.place(os.fsencode(found.path))
        finally:
            os.close(content.fd)
        if owner is not None:
            self._decided[found.inode] = (size, modified, owner)
        return owner

    def _owner_of(self, inode: Inode, content: Content) -> int | None:
        """The seat whose stream it is, else that of its first line; None: that is still being written."""
        head = content.at(0, HEAD)
        for parked in self._candidates(inode, head):
            if parked.cursor.fits(content):
                return self._seats[parked.name]
        line = head[: head.find(b"\n") + 1]
        ended = self.whole or len(head) == HEAD or (isinstance(content, GzipContent) and content.ended)
        return self.share.place(line or head) if line or ended else None

    def _candidates(self, inode: Inode, head: bytes) -> Iterator[Parked]:
        yield from self._by_inode.get(inode, ())
        yield from self._heads.like(head)
