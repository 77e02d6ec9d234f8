"""Rule files: every problem is named by file, line and key, and no good rule suffers for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logintel.identity import named_id
from logintel_collector.rules.conditions import SUPPORTED_TYPES
from logintel_collector.rules.loading import Rules, load_rules

GOOD = """
name: fatal
query: {term: {level: FATAL}}
conditions: {type: match}
severity: CRITICAL
"""
BROKEN = """
rules:
  - name: windows
    query: {term: {level: ERROR}}
    conditions:
      type: threshold
      window: {size: 5, kind: tumbling}
      windw: 5m
      levels: [{gte: 3, lte: 5}]
      value: {agg: cardinality, field: metadata.user}
      suppress: {backoff: 2}
      recovery: {}
    severity: high
  - name: spikes
    query: level:ERROR
    conditions: {type: spike}
    severity: LOW
  - name: unknown clause
    query: {bool: {filter: [{span_term: {level: EROR}}]}}
    conditions: {type: match}
    severity: LOW
  - just text
  - name: good among them
    query: level:ERROR
    conditions: {type: match}
    severity: LOW
"""


def loaded(folder: Path, **files: str) -> Rules:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text)
    return load_rules(folder, "logintel", lambda: datetime(2026, 3, 1, tzinfo=UTC))


def told(rules: Rules, folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in rules.problems]


def test_every_problem_of_every_file_is_told_and_the_good_rules_load(tmp_path: Path) -> None:
    rules = loaded(tmp_path, a_yaml=GOOD, b_yml=BROKEN, c_yaml="name: [", d_txt="not a rule file")
    assert [rule.name for rule in rules.rules] == ["fatal", "good among them"]
    *own, clause, text, syntax = told(rules, tmp_path)
    assert own == [
        "b.yml:7: rules[0].conditions.window.size: expected a duration with its unit, such as 5s",
        "b.yml:7: rules[0].conditions.window.kind: tumbling is not supported yet; supported: sliding",
        "b.yml:8: rules[0].conditions.windw: unknown key; did you mean 'window'?",
        "b.yml:9: rules[0].conditions.levels[0].lte: lte is not supported yet; supported: severity, gte, gt",
        "b.yml:10: rules[0].conditions.value.agg: cardinality is not supported yet; supported: count",
        "b.yml:10: rules[0].conditions.value.field: field is not supported yet; supported: agg",
        "b.yml:11: rules[0].conditions.suppress.backoff: backoff is not supported yet; supported: realert",
        "b.yml:12: rules[0].conditions.recovery.after: is missing",
        "b.yml:13: rules[0].severity: expected 'LOW', 'MEDIUM', 'HIGH' or 'CRITICAL'",
        "b.yml:16: rules[1].conditions: type 'spike' is not supported yet; supported: match, threshold",
    ]
    assert clause.startswith("b.yml:19: rules[2].query: bool.filter[0].span_term")
    assert text == "b.yml:22: rules[3]: expected a rule: keys and values"
    assert syntax.startswith("c.yaml:1: not valid YAML")


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ("{type: threshold, count: 3}", "conditions.window: is missing"),
        ("{type: threshold, window: 5m}", "conditions: expected one of count, levels"),
        ("{type: threshold, window: 5m, levels: []}", "conditions: expected one of count, levels"),
        ("{type: threshold, window: 5m, levels: [{severity: LOW}]}", "conditions.levels[0]: expected one of gte, gt"),
        ("{type: threshold, window: 0s, count: 3}", "conditions.window: expected a duration above zero"),
        ("{type: threshold, window: 5m, count: 0}", "conditions.count: expected a number greater than 0"),
        ("{type: threshold, window: soon, count: 3}", "conditions.window: expected a duration such as 30s"),
        (
            "{type: match, group_by: [{feild: host}]}",
            "conditions.group_by[0].feild: unknown key; did you mean 'field'?",
        ),
        ("{type: match, window: 5m}", "conditions.window: unknown key"),
        ("{type: match, version: 2}", "conditions.version: expected 1"),
        ("{type: match, for: 5m}", "conditions.for: for is not supported yet"),
        ("{}", "conditions: expected a type: match or threshold"),
        ("{type: [match]}", "conditions: expected a type: match or threshold"),
        ("text", "conditions: expected a type: match or threshold"),
    ],
)
def test_conditions_that_cannot_be_are_refused_by_key(tmp_path: Path, conditions: str, problem: str) -> None:
    rules = loaded(tmp_path, rule_yaml=GOOD.replace("{type: match}", conditions))
    assert not rules.rules
    assert any(f"rule.yaml:4: {problem}" in line for line in told(rules, tmp_path))


@pytest.mark.parametrize("kind", ["spike", "ratio", "absence", "new_value", "change", "sequence"])
def test_types_of_the_specification_that_come_later_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    rules = loaded(tmp_path, rule_yaml=GOOD.replace("type: match", f"type: {kind}"))
    assert told(rules, tmp_path) == [
        f"rule.yaml:4: conditions: type '{kind}' is not supported yet; supported: {', '.join(SUPPORTED_TYPES)}"
    ]


def test_a_name_stands_for_one_rule(tmp_path: Path) -> None:
    rules = loaded(tmp_path, a_yaml=GOOD, b_yaml=GOOD)
    assert [rule.id for rule in rules.rules] == [named_id("rule", "logintel", "fatal")]
    assert told(rules, tmp_path) == [f"b.yaml:2: name: 'fatal' is already the name of the rule in {tmp_path}/a.yaml:2"]


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    text = (
        '{"name": "fatal", "query": {"term": {"level": "FATAL"}}, "conditions": {"type": "match"}, "severity": "LOW"}'
    )
    (rule,) = loaded(tmp_path, rule_json=text).rules
    assert rule.predicate({"level": "FATAL"})
    assert not rule.predicate({"level": "INFO"})


def test_a_rule_that_is_off_is_checked_and_left_out(tmp_path: Path) -> None:
    off = GOOD + "is_active: false\n"
    assert loaded(tmp_path, a_yaml=off) == Rules([], [])
    assert told(loaded(tmp_path, a_yaml=off.replace("term", "trem")), tmp_path)[0].startswith("a.yaml:3: query: trem")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert told(load_rules(tmp_path / "none", "logintel", lambda: datetime.now(UTC)), tmp_path) == [
        "none: the rules directory cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"severity: CRITICAL": "severity: LOW"}, True),
        ({"{type: match}": "{type: match, suppress: {realert: 1m}, recovery: {after: 1h}}"}, True),
        ({"name: fatal": "name: fatal\ndescription: call somebody"}, True),
        ({"FATAL": "ERROR"}, False),
        ({"{type: match}": "{type: match, group_by: category}"}, False),
        ({"{type: match}": "{type: threshold, window: 5m, count: 3}"}, False),
    ],
)
def test_the_revision_follows_what_decides_which_events_count(
    tmp_path: Path, changed: dict[str, Any], same: bool
) -> None:
    ((old, new),) = changed.items()
    before, after = (loaded(tmp_path, rule_yaml=text).rules[0] for text in (GOOD, GOOD.replace(old, new)))
    assert (before.revision == after.revision) is same
