"""The index of words holds every word that a query may require of a document."""

from __future__ import annotations

import re
import sqlite3

from hypothesis import example, given
from hypothesis import strategies as st

from logintel_collector.query.narrow import index_terms
from logintel_collector.stores.sqlite_terms import block_text, match_expression

#: Letters beyond ASCII with an ASCII one in lower case, joiners of words, separators, pairs of UTF-16 units.
TEXTS = st.lists(
    st.sampled_from(["a", "B", "7", "_", ".", ":", "'", " ", "\n", "\0", '"', "\u212a", "\u0130", "\u00f6", "\u65e5"])
    | st.sampled_from(["a" * 126, "a" * 127, "a" * 255, "_" * 130, "\U0001d400" * 100, "word", "? AND"]),
    max_size=8,
).map("".join)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=3))
@example([("x", "\u212a", " y")])
@example([("a" * 300, "prefix:", "")])
@example([("ode", "n", "s")])
def test_a_block_has_every_word_of_its_documents(parts: list[tuple[str, str, str]]) -> None:
    documents = [{"message": message, "raw_log": before + message + after} for message, before, after in parts]
    words = set(re.findall("[a-z0-9]+", block_text(documents).lower()))
    for document in documents:
        assert index_terms(document["message"]) | index_terms(document["raw_log"]) <= words


@given(TEXTS, TEXTS)
def test_sqlite_finds_every_word(message: str, raw: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5 (text, content = '', detail = none, columnsize = 0, tokenize = 'ascii')"
    )
    document = {"message": message, "raw_log": raw}
    connection.execute("INSERT INTO t (rowid, text) VALUES (7, ?)", (block_text([document]),))
    for word in index_terms(message) | index_terms(raw):
        found = connection.execute("SELECT rowid FROM t WHERE t MATCH ?", (match_expression([word]),)).fetchall()
        assert found == [(7,)]
    connection.close()
