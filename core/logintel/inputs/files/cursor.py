"""Cursors: where a file is read up to, and how it is found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logintel.event import Json
from logintel.inputs.files.content import Content
from logintel.inputs.files.fingerprint import Fingerprint, from_json

_VERSION: Final = 1

Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FileCursor:
    """Where a file is read up to, and how to find it again.

    path   under which it was found
    inode  device and inode number
    print  identifies what was read, and says up to which byte
    cut    a byte at which a record ends though the bytes do not say so; it was sent, so a replay must end there too
    real   the path without symbolic links, where it is another: rotation leaves the old file beside that
    done   (size, modified in ns) of a compressed file that was read to its end: it need not be inflated again
    """

    path: str
    inode: Inode
    print: Fingerprint
    cut: int | None = None
    real: str | None = None
    done: tuple[int, int] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Where to look for it."""
        return (self.path, self.real) if self.real else (self.path,)

    def fits(self, content: Content) -> bool:
        """Whether the open file is the one that was read."""
        return self.print.fits(content) and (not self.cut or len(content.at(self.cut - 1, 1)) == 1)

    def to_json(self) -> Json:
        """As a source's cursor."""
        return {
            "v": _VERSION,
            "path": self.path,
            "dev": self.inode[0],
            "ino": self.inode[1],
            "print": self.print.to_json(),
            "cut": self.cut,
            **({"real": self.real} if self.real else {}),
            **({"done": list(self.done)} if self.done else {}),
        }

    @classmethod
    def from_json(cls, value: Json) -> FileCursor:
        """The inverse of `to_json`. Raises ValueError when it is not one."""
        if not isinstance(value, dict) or value.get("v") != _VERSION:
            raise ValueError(f"not a file cursor of version {_VERSION}")
        path, dev, ino, cut, real = (value.get(name) for name in ("path", "dev", "ino", "cut", "real"))
        if not (isinstance(path, str) and isinstance(dev, int) and isinstance(ino, int)):
            raise ValueError("a file cursor has path, dev and ino")
        return cls(
            path,
            (dev, ino),
            from_json(value.get("print")),
            cut if isinstance(cut, int) else None,
            real if isinstance(real, str) else None,
            _pair(value.get("done")),
        )


def _pair(value: Json) -> tuple[int, int] | None:
    match value:
        case [int(size), int(modified)]:
            return size, modified
        case _:
            return None
