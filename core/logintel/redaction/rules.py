"""The rules by name: the built-in ones, and those of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from logintel.config.process import FURTHER_RULES, RULE_SETS, OwnRule, Redact
from logintel.redaction.credentials import CREDENTIALS
from logintel.redaction.personal import PERSONAL
from logintel.redaction.rule import Found, Rule, Screen
from logintel.redaction.tokens import TOKENS

#: In the order in which they are applied: what knows its own shape comes before what takes any value.
BUILT_IN: Final[tuple[Rule, ...]] = (*TOKENS, *CREDENTIALS, *PERSONAL)
#: A literal of a pattern that is shorter is met too often to be of use.
_SHORTEST: Final = 3
#: Characters that JSON writes otherwise, and letters that others fold to.
_ESCAPED: Final = frozenset('"\\/')
_FOLDING: Final = _ESCAPED | frozenset("kKsSiI")


def rules_of(redact: Redact) -> tuple[Rule, ...]:
    """The rules that a configuration lists; its own come first."""
    names = {name for entry in redact if isinstance(entry, str) for name in RULE_SETS.get(entry, (entry,))}
    own = {entry.name: entry for entry in redact if isinstance(entry, OwnRule)}
    return (*map(_own, own.values()), *(rule for rule in BUILT_IN if rule.name in names))


def _own(config: OwnRule) -> Rule:
    search = re.compile(config.pattern)

    def find(text: str) -> Iterator[Found]:
        for match in search.finditer(text):
            if match[config.group]:
                yield Found(*match.span(config.group), match[config.group])

    literal = max(_literals(_parser.parse(config.pattern), bool(search.flags & re.IGNORECASE)), key=len, default="")
    screens = (Screen(literal.lower().encode()),) if len(literal) >= _SHORTEST else ()
    return Rule(config.name, find, screens)


def _literals(parsed: Sequence[tuple[Any, Any]], folding: bool) -> list[str]:
    """Texts that stand in whatever the pattern matches; ASCII, and written in JSON as they are."""
    runs = [""]
    for op, argument in parsed:
        if op is ops.LITERAL and 32 <= argument < 127 and chr(argument) not in (_FOLDING if folding else _ESCAPED):
            runs[-1] += chr(argument)
            continue
        if op is ops.SUBPATTERN and not argument[1] and not argument[2]:
            runs += _literals(argument[3], folding)
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT) and argument[0] > 0:
            runs += _literals(argument[2], folding)
        runs.append("")
    return runs


assert {rule.name for rule in BUILT_IN} == {*FURTHER_RULES, *(name for names in RULE_SETS.values() for name in names)}
