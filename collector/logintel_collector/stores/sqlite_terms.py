"""Which words a block of documents holds: what table document_terms is given. It only narrows a search.

Words are those of `query.narrow.index_terms`: runs of ASCII letters and digits, in lower case. FTS5's tokenizer finds
them in plain ASCII text by itself. Neighbouring documents share most of their words: one row per block of them makes
the table several times smaller and cheaper, and a search then reads the few documents of the blocks that it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from logintel.event import Json
from logintel_collector.query.analysis import lower
from logintel_collector.query.narrow import index_terms
from logintel_collector.query.tokenizer import MAX_LENGTH

#: A block's number is the document id without this many bits: never change it, the files are laid out so. Of 8 or 32
#: documents, nearly every block holds the numbers that an IP address is made of; of one, writing costs a fifth more.
BLOCK_BITS: Final = 2
#: Words of fewer characters are never cut: the tokenizer's limit is twice as many UTF-16 units.
_SHORT: Final = MAX_LENGTH // 2
_MOST_TERMS: Final = 16


def block_text(sources: Iterable[Mapping[str, Json]]) -> str:
    """The words of some documents; the same for the same documents, which deleting them needs."""
    texts: list[str] = []
    for source in sources:
        raw, message = str(source["raw_log"]), str(source["message"])
        texts.append(raw)
        if message != raw and (_has_long_word(message) or not _holds(raw, message)):
            texts.append(message)
    text = "\n".join(texts)
    if not text.isascii():
        # Some letters have an ASCII one in lower case (the Kelvin sign). The others become "?", which is in no word.
        text = lower(text).encode("ascii", "replace").decode("ascii")
    # The tokenizer joins nothing across blanks: only the long words need a look at where it cuts them.
    cut = {
        run
        for part in texts
        if _has_long_word(part)
        for word in part.split()
        if len(word) >= _SHORT
        for run in index_terms(word)
    }
    return "\n".join([text, *cut])


def match_expression(terms: Iterable[str]) -> str:
    """The FTS5 query for blocks that hold every term; "" without terms."""
    # The longest are the rarest; more of them would hardly narrow further.
    return " AND ".join(f'"{term}"' for term in sorted(terms, key=len)[-_MOST_TERMS:])


def _has_long_word(text: str) -> bool:
    """Whether the standard tokenizer may cut a word of it, and so make words that do not stand there as such."""
    return len(text) >= _SHORT and max(map(len, text.split()), default=0) >= _SHORT


def _holds(raw: str, message: str) -> bool:
    """Whether every word of `message` is one of `raw`, as seen from the first place where it stands there."""
    start = raw.find(message)
    if start < 0 or not message:
        return start == 0
    end = start + len(message)
    glued_before = start > 0 and raw[start - 1].isalnum() and message[0].isalnum()
    glued_after = end < len(raw) and raw[end].isalnum() and message[-1].isalnum()
    return not glued_before and not glued_after
