"""Predicates of text fields: terms, patterns over terms, and phrases, analysed only where a word can stand."""

from __future__ import annotations

from collections.abc import Sequence

from logintel_collector.query.mapping import Mapping
from logintel_collector.query.nearness import close
from logintel_collector.query.reading import Predicate, Source, TextReader
from logintel_collector.query.tree import Leaf, OneOf, Phrase
from logintel_collector.query.values import text_test


def on_terms(leaf: Leaf, mapping: Mapping) -> Predicate:
    """A leaf of a text field."""
    reader = mapping.reader(leaf.field)
    if isinstance(leaf, Phrase):
        return phrases([leaf], mapping)
    if isinstance(leaf, OneOf) and not leaf.fold:
        if len(leaf.values) > 1:
            wanted = leaf.values
            return lambda source: not wanted.isdisjoint(reader.vocabulary(source))
        (term,) = leaf.values
        return _where_one_stands([term], lambda source: term in reader.vocabulary(source), reader)
    fits = text_test(leaf)

    def predicate(source: Source) -> bool:
        return any(fits(term) for term in reader.vocabulary(source) if term is not None)

    return predicate


def phrases(leaves: list[Phrase], mapping: Mapping) -> Predicate:
    """Whether the text has one of them: looked for where the longest word of one of them stands."""
    reader = mapping.reader(leaves[0].field)
    witnesses = [max((term for term, _ in leaf.terms), key=len) for leaf in leaves]
    return _where_one_stands(witnesses, _any([_phrase(leaf, reader) for leaf in leaves]), reader)


def _phrase(leaf: Phrase, reader: TextReader) -> Predicate:
    if leaf.slop or leaf.prefix:
        return _loose_phrase(leaf, reader)
    (first, _), *rest = leaf.terms
    wanted = frozenset(term for term, _ in leaf.terms)

    def predicate(source: Source) -> bool:
        if not wanted <= reader.vocabulary(source):
            return False
        terms = reader.terms(source)
        return any(
            term == first and all(terms[place + far : place + far + 1] == [next_] for next_, far in rest)
            for place, term in enumerate(terms)
        )

    return predicate


def _loose_phrase(leaf: Phrase, reader: TextReader) -> Predicate:
    """A phrase whose terms may stand elsewhere, or whose last term may only be begun."""
    offsets = [offset for _, offset in leaf.terms]
    exact = [term for term, _ in leaf.terms]
    begun = exact.pop() if leaf.prefix else None
    wanted = frozenset(exact)

    def predicate(source: Source) -> bool:
        if not wanted <= reader.vocabulary(source):
            return False
        terms = list(enumerate(reader.terms(source)))
        places = [[place for place, term in terms if term == word] for word in exact]
        if begun is not None:
            places.append([place for place, term in terms if term is not None and term.startswith(begun)])
        return close(places, offsets, leaf.slop)

    return predicate


def _where_one_stands(witnesses: list[str], test: Predicate, reader: TextReader) -> Predicate:
    """`test`, which can only be true where the text has one of the terms: most texts need no analysis."""

    def predicate(source: Source) -> bool:
        text = reader.lowered(source)
        if text is None:
            return test(source)
        for witness in witnesses:
            if witness in text:
                return test(source)
        return False

    return predicate


def _any(tests: Sequence[Predicate]) -> Predicate:
    return tests[0] if len(tests) == 1 else lambda source: any(test(source) for test in tests)
