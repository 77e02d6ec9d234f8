"""Loading: rule files to rules. A broken rule is left out and reported; the good ones beside it load."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from logintel.config.check import check
from logintel.config.document import Document, Key, dotted, read_yaml
from logintel.config.problem import Problem
from logintel_collector.query import QueryError, compile_dsl, product_mapping
from logintel_collector.rules.rule import Rule, RuleConfig, rule_from

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
#: The key under which a file lists several rules.
LIST: Final = "rules"


class Rules(NamedTuple):
    """What a directory of rules holds: those that can be evaluated, and everything that is wrong with the others."""

    rules: list[Rule]
    problems: list[Problem]


def load_rules(rules_dir: Path, installation: str, now: Callable[[], datetime]) -> Rules:
    """The active rules in `rules_dir` and all problems, in the order of the files' names.

    A file (*.yaml, *.yml, *.json) holds one rule, or several in a list under the key `rules`. Inactive rules are
    checked and left out. `now` is the clock for dates such as `now-1d` in queries.
    """
    try:
        paths = sorted(
            path for path in rules_dir.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(".")
        )
    except OSError as error:
        message = f"the rules directory cannot be read: {error.strerror}"
        return Rules([], [Problem(str(rules_dir), 0, "", message)])
    rules: list[Rule] = []
    problems: list[Problem] = []
    places: dict[str, str] = {}
    for path in paths:
        document = read_yaml(path)
        problems += document.problems
        if not document.problems:
            found = _load_file(document, lambda one: _load(one, installation, now, places))
            rules += [rule for rule in found.rules if rule.config.is_active]
            problems += sorted(found.problems, key=lambda problem: problem.line)
    return Rules(rules, problems)


def _load_file(document: Document, load: Callable[[Document], tuple[Rule | None, list[Problem]]]) -> Rules:
    """The rules of one file; each is loaded on its own, with its lines."""
    listed = document.value.get(LIST)
    if not isinstance(listed, list):
        rule, problems = load(document)
        return Rules([rule] if rule else [], problems)
    found = Rules([], [document.problem((key,), "stands beside `rules`") for key in document.value if key != LIST])
    for index, value in enumerate(listed):
        part: Key = (LIST, index)
        if not isinstance(value, dict):
            found.problems.append(document.problem(part, "expected a rule: keys and values"))
            continue
        places = {key[2:]: place for key, place in document.places.items() if key[:2] == part}
        rule, problems = load(Document(document.file, value, places))
        found.rules.extend([rule] if rule else [])
        found.problems.extend(_inside(problem, document, part) for problem in problems)
    return found


def _inside(problem: Problem, document: Document, part: Key) -> Problem:
    """The problem of one rule of several, told as one of the file."""
    line = problem.line or document.place(part).line
    return problem._replace(line=line, key=f"{dotted(part)}.{problem.key}")


def _load(
    document: Document, installation: str, now: Callable[[], datetime], places: dict[str, str]
) -> tuple[Rule | None, list[Problem]]:
    config, problems = check(RuleConfig, document)
    if config is None:
        return None, problems
    place = document.place(("name",))
    if config.name in places:
        return None, [document.problem(("name",), f"{config.name!r} is already the name of {places[config.name]}")]
    places[config.name] = f"the rule in {place.file}:{place.line}"
    try:
        query = compile_dsl(config.query, product_mapping(), now)
    except QueryError as error:
        return None, [document.problem(("query",), str(error))]
    return rule_from(config, installation, query.predicate), []
