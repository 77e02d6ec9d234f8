"""Which words a block of documents holds: what table document_terms is given. It only narrows a search.

A word is a run of ASCII letters and digits, and every such run of message and raw_log is one, in lower case. So
whatever analysis a query asks for, a document that it matches holds the runs that the query requires. Neighbouring
documents share most of their words: one row per block of them makes the table several times smaller and cheaper, and
a search then reads the few documents of the blocks it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from logintel.event import Json

#: A block's number is the document id without this many bits.
BLOCK_BITS: Final = 5
BLOCK: Final = 1 << BLOCK_BITS


def block_text(sources: Iterable[Mapping[str, Json]]) -> str:
    """The words of some documents; the same for the same documents, which deleting them needs."""
    texts: list[str] = []
    for source in sources:
        raw, message = str(source["raw_log"]), str(source["message"])
        texts.append(raw)
        if message is not raw and not _holds(raw, message):
            texts.append(message)
    text = "\n".join(texts)
    # Other characters become "?", which is no part of a word.
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


def match_expression(terms: Iterable[str]) -> str:
    """The FTS5 query for blocks that hold every term."""
    return " AND ".join(f'"{term}"' for term in terms)


def _holds(raw: str, message: str) -> bool:
    """Whether every word of `message` is one of `raw`, as seen from the first place where it stands there."""
    start = raw.find(message)
    if start < 0 or not message:
        return start == 0
    end = start + len(message)
    glued_before = start > 0 and _in_word(raw[start - 1]) and _in_word(message[0])
    glued_after = end < len(raw) and _in_word(raw[end]) and _in_word(message[-1])
    return not glued_before and not glued_after


def _in_word(char: str) -> bool:
    return char.isascii() and char.isalnum()
