"""Fixed records: splits bytes into records of one size, which have no line ends; each is a line to whoever frames."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from logintel.formats import FixedRecords
from logintel.inputs.files.text import Lines, TextCodec, codec_of


@dataclass(frozen=True, slots=True)
class RecordCodec(TextCodec):
    """How records of `characters` code units are encoded. Half a record is never taken for one: it waits."""

    partial: ClassVar[bool] = False
    characters: int = 1

    def whole_lines(self, data: bytes) -> int:
        """Length of the whole records in `data`."""
        return len(data) - len(data) % (self.characters * self.width)

    def lines(self, data: bytes) -> Lines:
        """The records of `data`. A code unit that is none of the encoding becomes U+FFFD, so that what stands behind it
        keeps its place; a record of NULs, which is a hole in the file, becomes empty."""
        size = self.characters * self.width
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        texts, damaged = [], set()
        for place, part in enumerate(parts):
            text = part.decode(self.name, "replace")
            if "\ufffd" in text and text.encode(self.name) != part:
                damaged.add(place)
            texts.append(text if text.strip("\0") else "")
        return Lines(texts, [len(part) for part in parts], damaged)


def codec_for(head: bytes, told: str | None, fixed: FixedRecords | None) -> TextCodec:
    """The codec of a file whose first bytes are `head`; `told`: the encoding that the configuration says.

    Fixed records begin with an ASCII character, so that their first two bytes tell UTF-16 and its order; what was told
    counts for other files, and where it is of one byte a character.
    """
    if fixed is None:
        return codec_of(head, told)
    marked = codec_of(head[:3])
    if marked.bom and marked.width == 2:
        return RecordCodec(marked.name, marked.bom, 2, fixed.characters)
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[place : place + 1] == b"\0":
            return RecordCodec(name, 0, 2, fixed.characters)
    name = codecs.lookup(told).name if told and _of_one_byte(told) else fixed.encoding
    return RecordCodec(name, 0, 1, fixed.characters)


@lru_cache
def _of_one_byte(name: str) -> bool:
    """Whether each byte is a character of its own."""
    pairs = (bytes((byte, behind)) for byte in range(256) for behind in b"A\x80\xa1")
    return all(len(pair.decode(name, "replace")) == 2 for pair in pairs)
