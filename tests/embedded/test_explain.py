"""`logintel explain`: each field of a line's document with its origin; nothing is stored, sent or learned."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from logintel.main import main

LINE = '10.0.0.7 - - [02/Mar/2026:08:00:01 +0000] "GET /pay?token=abcdef0123456789 HTTP/1.1" 503 12 "-" "curl/8.5.0"'
AGENT = """
agent: {data_dir: agent}
sources:
  - name: shop
    type: application
    paths: [shop.log]
    format: access
    host: web01
    tags: [edge]
    process:
      filter: [{name: health, drop: {field: metadata.path, prefix: /health}}]
      add: {metadata.team: payments}
      drop: [metadata.bytes]
      redact: [secrets]
  - {name: other, type: application, paths: [other.log]}
  - {name: hec, type: splunk, listen: "127.0.0.1:8088", tokens: [{name: t, token: "0123456789abcdef0123"}]}
"""
COLLECTOR = """
rules_dir: rules.d
enrich:
  - {type: geoip}
  - {type: level, rules: [{level: ERROR, where: {field: metadata.status, pattern: ^5}}]}
  - {type: template}
  - {type: redact, rules: [personal]}
"""
RULE = """
name: {name}
query: '{query}'
conditions: {{type: match}}
severity: LOW
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "agent.yaml").write_text(AGENT)
    (tmp_path / "collector.yaml").write_text(COLLECTOR)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d/a.yaml").write_text(RULE.format(name="errors", query="level:ERROR"))
    (tmp_path / "rules.d/b.yaml").write_text(RULE.format(name="fatal", query="level:FATAL"))
    return ["--config", "agent.yaml", "--config", "collector.yaml"]


def explained(capfdbinary: pytest.CaptureFixture[bytes], *words: str) -> list[dict[str, Any]]:
    assert main(["explain", "--json", *words]) == 0
    sys.stdout.flush()
    return [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]


def test_each_field_has_its_origin(files: list[str], capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    (found,) = explained(capfdbinary, *files, "--source", "shop", LINE)
    document, origins = found["document"], found["origins"]
    fields = {name for name in document if name not in ("metadata", "parsed_fields")}
    fields |= {f"metadata.{name}" for name in document["metadata"]}
    assert set(origins) == fields
    assert {name: origins[name] for name in sorted(origins) if origins[name].startswith(("process", "enrich"))} == {
        "level": "enrich[1] level",
        "message": "process of source shop",
        "metadata.geo": "enrich[0] geoip",
        "metadata.path": "process of source shop",
        "metadata.query": "process of source shop",
        "metadata.team": "process of source shop",
        "metadata.template": "enrich[2] template",
        "raw_log": "process of source shop",
    }
    assert (origins["tags"], origins["metadata.host"], origins["metadata.status"]) == (
        "source shop", "source shop", "format access",
    )  # fmt: skip
    assert (origins["timestamp"], origins["category"], origins["log_id"]) == ("format access", "collector", "agent")
    assert "metadata.bytes" not in origins
    assert "abcdef0123456789" not in json.dumps(found)
    assert (found["day"], found["dropped"], found["failed"]) == ("2026.03.02", None, [])
    assert found["rules"] == {"errors": True, "fatal": False}
    assert sorted(tmp_path.rglob("*")) == before


def test_what_the_agent_drops_says_why(files: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (found,) = explained(capfdbinary, *files, "--source", "shop", LINE.replace("/pay", "/health"))
    assert (found["dropped"], found["document"]) == ("filter:health", {})


def test_lines_of_one_record_belong_together(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    lines = ["2026-11-22 10:00:01,000 [main] ERROR shop.Orders - no stock", "java.lang.X: y", "\tat a.B.c(B.java:1)"]
    (found,) = explained(capfdbinary, "--timezone", "Europe/Berlin", *lines)
    assert (found["lines"], found["format"], found["document"]["timestamp"][:19]) == (
        [1, 3], "java", "2026-11-22T09:00:01",
    )  # fmt: skip
    assert found["origins"]["parsed_fields.thread"] == "format java"


def test_standard_input_and_a_line_without_a_time(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    found = explained(capfdbinary, "-")
    assert [one["document"]["raw_log"] for one in found] == ["one", "two"]
    assert {one["origins"]["timestamp"] for one in found} == {"agent"}


def test_a_person_reads_rows(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *files, "--source", "shop", LINE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["record    line 1", "source    shop, type application", "format    access"]
    assert any(line.split() == ["level", "ERROR", "enrich[1]", "level"] for line in lines)
    assert lines[-2:] == ["rule      errors: matches", "rule      fatal: does not match"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["x"], 2, "--source: name one: shop, other, hec"),
        (["--source", "shp", "x"], 2, "no source is named 'shp'; did you mean 'shop'?"),
        (["--source", "hec", "x"], 1, "source hec of type splunk is not read as lines"),
    ],
)
def test_which_source_is_asked_for(
    files: list[str], capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert main(["explain", *files, *words]) == code
    assert message in capsys.readouterr().err


def test_an_unknown_format_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--format", "acess", "x"]) == 1
    assert "unknown format 'acess'; did you mean 'access'?" in capsys.readouterr().err
