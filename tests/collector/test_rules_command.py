"""`logintel rules test` says which events each query matches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logintel.main import main

EVENTS: list[dict[str, Any]] = [
    {"_id": "a", "_source": {"level": "ERROR", "message": "disk full", "timestamp": "2026-11-22T11:59:30Z"}},
    {"log_id": "b", "level": "WARN", "message": "disk nearly full", "metadata": {"user": "root"}},
    {"level": "INFO", "message": "all is well", "metadata": {"user": "Root"}},
]


def written(path: Path, *objects: object) -> str:
    path.write_text("".join(json.dumps(value) + "\n" for value in objects))
    return str(path)


def verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *rules: dict[str, Any], options: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    files = "--rules", written(tmp_path / "rules", *rules), "--events", written(tmp_path / "events", *EVENTS)
    assert main(["rules", "test", *files, "--json", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_query_is_answered_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verdicts(
        tmp_path,
        capsys,
        {"id": "dsl", "query": {"match": {"message": "disk"}}},
        {"id": 2, "lucene": "metadata.user:root OR level:INFO"},
        {"id": "and", "lucene": "disk nearly", "default_field": "message", "default_operator": "and"},
        {"id": "by id", "query": {"ids": {"values": ["b", "3"]}}},
        {"id": "refused", "query": {"regexp": {"size_bytes": "1.*"}}},
    )
    assert found[:4] == [
        {"id": "dsl", "ids": ["a", "b"], "total": 2},
        {"id": "2", "ids": ["b", "3"], "total": 2},
        {"id": "and", "ids": ["b"], "total": 1},
        {"id": "by id", "ids": ["b", "3"], "total": 2},
    ]
    assert found[4]["id"] == "refused"
    assert "does not support regexp" in found[4]["error"]


def test_the_mapping_and_the_clock_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = {"mappings": {"properties": {"level": {"type": "text"}, "timestamp": {"type": "date"}}}}
    mapping = written(tmp_path / "index.json", index)
    found = verdicts(
        tmp_path,
        capsys,
        {"id": "text", "query": {"match": {"level": "error"}}},
        {"id": "recent", "query": {"range": {"timestamp": {"gte": "now-1m"}}}},
        options=("--mapping", mapping, "--now", "2026-11-22T12:00:00Z"),
    )
    assert [each["ids"] for each in found] == [["a"], ["a"]]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ('{"id": "x"', "rules:1: no JSON"),
        ('{"id": "x", "lucene": "a"}\n[]', "rules:2: expected a JSON object"),
        ('{"query": {"match_all": {}}}', "rules:1: expected a rule, {id, query} or {id, lucene}"),
    ],
)
def test_a_line_that_is_no_rule_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, problem: str
) -> None:
    (tmp_path / "rules").write_text(rules)
    events = written(tmp_path / "events", *EVENTS)
    assert main(["rules", "test", "--rules", str(tmp_path / "rules"), "--events", events]) == 1
    assert problem in capsys.readouterr().err


def test_a_person_sees_a_line_a_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = written(
        tmp_path / "rules",
        {"id": "all\x1b[31m", "query": {"match_all": {}}},
        {"id": "none", "query": {"match_none": {}}},
        {"id": "bad", "query": {"term": {}}},
    )
    many = written(tmp_path / "many", *({"id": f"e{n}"} for n in range(9)))
    assert main(["rules", "test", "--rules", rules, "--events", many]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in lines[0]
    assert lines[0].endswith("9 matched: e0, e1, e2, e3, e4, … 4 more")
    assert lines[1] == "none: 0 matched"
    assert lines[2].startswith("bad: refused: term: ")
    assert lines[3] == "3 rules, 1 of them refused"
