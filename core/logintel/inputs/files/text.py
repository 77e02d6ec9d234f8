"""Text: splits bytes into lines and decodes them, keeping byte offsets exact in every encoding."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Bytes of a file's head that decide its encoding and whether it is text at all.
HEAD_BYTES: Final = 1024
#: Control characters that no log has: all but backspace, tab, line ends and escape.
_NO_TEXT: Final = bytes(sorted({*range(32)} - {*b"\b\t\n\v\f\r\x1b"}))


class Lines(NamedTuple):
    """Lines without their ends: the texts, the byte length of each with its end, and which held damaged bytes."""

    texts: list[str]
    lengths: list[int]
    damaged: set[int]


@dataclass(frozen=True, slots=True)
class TextCodec:
    """How the text of one file is encoded.

    name   Python's name of the codec
    bom    bytes of the byte order mark at the start of the file
    width  bytes per code unit: 1, 2 or 4
    """

    #: Whether what stands behind the last line end is a line, once nothing follows.
    partial: ClassVar[bool] = True
    name: str
    bom: int = 0
    width: int = 1

    @property
    def newline(self) -> bytes:
        """A line feed in this encoding."""
        return "\n".encode(self.name)

    def whole_lines(self, data: bytes) -> int:
        """Length of the part of `data` that ends with its last line feed."""
        end = data.rfind(self.newline)
        while end > 0 and end % self.width:
            end = data.rfind(self.newline, 0, end + len(self.newline) - 1)
        return end + self.width if end >= 0 else 0

    def lines(self, data: bytes) -> Lines:
        """The lines of `data`; the last may lack its line end.

        Bytes that are not of the encoding become visible `\\xNN`, so that nothing is dropped. NULs at a line's ends,
        which are holes in the file and no text, go.
        """
        lines = self._wide_lines(data) if self.width > 1 else self._narrow_lines(data)
        if not lines.lengths[-1]:
            lines.texts.pop()
            lines.lengths.pop()
        return lines

    def _narrow_lines(self, data: bytes) -> Lines:
        damaged: set[int] = set()
        if data.isascii() and _extends_ascii(self.name):
            texts = data.decode("ascii").split("\n")
            lengths = [len(text) + 1 for text in texts]
        else:
            parts = data.split(b"\n")
            lengths = [len(part) + 1 for part in parts]
            try:
                texts = data.decode(self.name).split("\n")
            except UnicodeDecodeError:
                texts = []
            if len(texts) != len(parts):
                texts, damaged = self._one_by_one(parts)
        lengths[-1] -= 1
        if b"\0" in data:
            texts = [text.strip("\0") for text in texts]
        if b"\r" in data:
            texts = [text.removesuffix("\r") for text in texts]
        return Lines(texts, lengths, damaged)

    def _one_by_one(self, parts: Sequence[bytes]) -> tuple[list[str], set[int]]:
        texts = []
        damaged = set()
        for place, part in enumerate(parts):
            try:
                texts.append(part.decode(self.name))
            except UnicodeDecodeError:
                texts.append(part.decode(self.name, "backslashreplace"))
                damaged.add(place)
        return texts, damaged

    def _wide_lines(self, data: bytes) -> Lines:
        whole = data.decode(self.name, "surrogatepass" if len(data) % self.width == 0 else "backslashreplace")
        texts = whole.split("\n")
        lengths = [len(text.encode(self.name, "surrogatepass")) + self.width for text in texts]
        lengths[-1] = len(data) - sum(lengths[:-1])
        if "\0" in whole:
            texts = [text.strip("\0") for text in texts]
        mended = [text.removesuffix("\r").encode("utf-8", "backslashreplace").decode() for text in texts]
        damaged = {place for place, text in enumerate(texts) if mended[place] != text.removesuffix("\r")}
        return Lines(mended, lengths, damaged)

    def piece(self, data: bytes, limit: int) -> int:
        """Where to cut a line that is longer than `limit` bytes so that no character is cut."""
        cut = limit - limit % self.width
        if self.width == 1 and self.name == "utf-8":
            while cut > limit - 4 and data[cut] & 0xC0 == 0x80:
                cut -= 1
        return cut


def codec_of(head: bytes, told: str | None = None) -> TextCodec:
    """The codec of a file whose first bytes are `head`: its byte order mark, else what was told, else what the bytes
    show (UTF-16 without a mark has a NUL in every other byte), else UTF-8. Raises LookupError for an unknown name."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return TextCodec(name, len(bom), _width(name))
    if told:
        name = codecs.lookup(told).name
        name = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)
        return TextCodec(name, 0, _width(name))
    name = _unmarked_utf16(head) or "utf-8"
    return TextCodec(name, 0, _width(name))


def is_binary(head: bytes, codec: TextCodec) -> bool:
    """Whether a file that starts with `head` is not text: it has NUL bytes where its encoding has none.

    NULs before any text, or behind lines of it, are a hole, which a crash or a truncation leaves in a log.
    """
    if codec.width > 1:
        return False
    text, nul, _ = head.lstrip(b"\0").partition(b"\0")
    return bool(nul) and (b"\n" not in text or len(text.translate(None, _NO_TEXT)) < len(text))


@lru_cache
def _extends_ascii(name: str) -> bool:
    """Whether bytes below 128 always mean what they mean in ASCII; in ISO-2022, UTF-7 and EBCDIC they do not."""
    below = bytes(range(128))
    return not name.startswith("iso2022") and below.decode(name, "replace") == below.decode("ascii")


def _width(name: str) -> int:
    return 4 if name.startswith("utf-32") else 2 if name.startswith("utf-16") else 1


def _unmarked_utf16(head: bytes) -> str | None:
    even, odd = head[0::2], head[1::2]
    if len(head) < 8:
        return None
    if odd.count(0) > 0.9 * len(odd) and not even.count(0):
        return "utf-16-le"
    if even.count(0) > 0.9 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None
