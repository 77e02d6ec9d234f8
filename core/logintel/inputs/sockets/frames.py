"""Frames: cuts the bytes of one connection into records (RFC 6587; RFC 5425 frames alike inside TLS).

Octet counting (`LEN SP MSG`) where a frame begins with a length, else lines; a sender may mix the two. A length is
taken for one only before what a message begins with, `<` (syslog) or `{` (JSON): a line such as `200 OK` is a line.
"""

from __future__ import annotations

import re
from typing import Final

#: Longest record, bytes.
MAX_RECORD: Final = 128 * 1024
_COUNTED: Final = re.compile(rb"([1-9][0-9]{0,8}) [<{]")


class Frames:
    """What is not a whole record yet waits inside: at most a record's bytes and what was fed last."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """The whole records in what came so far, each with whether it is a piece of a longer one."""
        data = self._rest + data
        place = 0
        found: list[tuple[bytes, bool]] = []
        while place < len(data):
            counted = _COUNTED.match(data, place)
            if counted and int(counted[1]) <= MAX_RECORD:
                start, length = counted.end() - 1, int(counted[1])
                if len(data) - start < length:
                    break
                found.append((data[start : start + length], False))
                place = start + length
                continue
            end = data.find(b"\n", place)
            if end < 0 and len(data) - place <= MAX_RECORD:
                break
            if end < 0 or end - place > MAX_RECORD:
                found.append((data[place : place + MAX_RECORD], True))
                place += MAX_RECORD
                continue
            found.append((data[place:end], False))
            place = end + 1
        self._rest = data[place:]
        return found

    def end(self) -> list[tuple[bytes, bool]]:
        """What is left when no more comes: the last line, without line end, or what there is of a counted record."""
        rest, self._rest = self._rest, b""
        counted = _COUNTED.match(rest)
        if counted and int(counted[1]) <= MAX_RECORD:
            return [(rest[counted.end() - 1 :], True)]
        return [(rest, False)] if rest else []


def pieces(datagram: bytes, *, truncated: bool) -> list[tuple[bytes, bool]]:
    """The record of a datagram, in pieces if it is over the limit; `truncated`: its end did not arrive."""
    if len(datagram) <= MAX_RECORD and not truncated:
        return [(datagram, False)]
    cut = [datagram[place : place + MAX_RECORD] for place in range(0, len(datagram), MAX_RECORD)]
    return [(piece, truncated or piece is not cut[-1]) for piece in cut]
