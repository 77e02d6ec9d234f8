"""`logintel config`: over the keys of every installed component."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from logintel.main import main

GOOD = """\
sources:
  - {name: shop, type: application, paths: ["/var/log/shop/*.log"], timezone: Europe/Berlin}
notify:
  - {type: webhook, url: "https://hooks.example/x", headers: {Authorization: "Bearer ${env:LOGINTEL_TEST_TOKEN}"}}
"""


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LOGINTEL_TEST_TOKEN", "t0k3n-value")
    monkeypatch.chdir(tmp_path)


def test_check_says_what_would_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Path("good.yaml").write_text(GOOD)
    assert main(["config", "check", "good.yaml"]) == 0
    assert capsys.readouterr().out.split("\n") == [
        "OK: good.yaml",
        f"  store {tmp_path}/logintel/logintel.sqlite",
        "  no rules",
        "  notify by webhook",
        "  source shop: application",
        "",
    ]


def test_check_says_of_an_agents_file_nothing_that_is_the_collectors(capsys: pytest.CaptureFixture[str]) -> None:
    bus = 'bus: {kafka: {bootstrap_servers: ["k1:9092"]}}\n'
    Path("agent.yaml").write_text(bus + "sources: [{name: shop, type: application, paths: [x.log]}]\n")
    Path("collector.yaml").write_text(bus + 'stores: {elasticsearch: {hosts: ["http://e1:9200"]}}\n')
    assert main(["config", "check", "agent.yaml", "collector.yaml"]) == 0
    assert capsys.readouterr().out.split("\n") == [
        "OK: agent.yaml",
        "  bus Kafka at k1:9092",
        "  source shop: application",
        "OK: collector.yaml",
        "  bus Kafka at k1:9092",
        "  store Elasticsearch at http://e1:9200",
        "  no rules",
        "",
    ]


def test_check_tells_the_problems_of_every_file_and_of_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text("souces: []\n")
    Path("rules").mkdir()
    Path("rules/broken.yaml").write_text("name: x\nquery: {match_all: {}}\nconditions: {type: match}\nseverty: LOW\n")
    Path("ruled.yaml").write_text("rules_dir: rules\n")
    assert main(["config", "check", "bad.yaml", "good.yaml", "ruled.yaml", "gone.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("OK: good.yaml\n")
    assert "ruled" not in captured.out
    told = captured.err.split("\n")
    assert "bad.yaml:1: souces: unknown key; did you mean 'sources'?" in told
    assert "gone.yaml: there is no such file" in told
    assert any(line.endswith("rules/broken.yaml:4: severty: unknown key; did you mean 'severity'?") for line in told)


def test_check_gives_problems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("# here\ninstallation: [x]\n")
    assert main(["config", "check", "--json", "bad.yaml"]) == 2
    assert json.loads(capsys.readouterr().out) == [
        {"file": "bad.yaml", "line": 2, "key": "installation", "message": "expected text, got a list"}
    ]


def test_check_of_good_files_gives_an_empty_json_list(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.yaml").write_text(GOOD)
    assert main(["config", "check", "--json", "good.yaml"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_show_prints_the_configuration_in_effect_without_secrets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, as_json: bool
) -> None:
    Path("good.yaml").write_text(GOOD)
    assert main(["config", "show", "good.yaml", *(["--json"] if as_json else [])]) == 0
    out = capsys.readouterr().out
    shown = json.loads(out) if as_json else yaml.safe_load(out)
    assert shown["installation"] == "logintel"
    assert shown["stores"]["sqlite"]["path"] == f"{tmp_path}/logintel/logintel.sqlite"
    assert shown["sources"][0]["format"] == "auto"
    assert shown["notify"][0]["headers"] == {"Authorization": "Bearer ${env:LOGINTEL_TEST_TOKEN}"}
    assert "t0k3n" not in out


def test_what_show_prints_is_a_configuration_again(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.yaml").write_text(GOOD)
    assert main(["config", "show", "good.yaml"]) == 0
    first = capsys.readouterr().out
    Path("again.yaml").write_text(first)
    assert main(["config", "show", "again.yaml"]) == 0
    assert capsys.readouterr().out == first


def test_the_schema_describes_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == {
        "agent", "analytics", "bus", "enrich", "installation", "monitor", "notify", "roles", "rules_dir", "sources", "stores",
    }  # fmt: skip
    models = [schema, *schema["$defs"].values()]
    undescribed = [
        f"{model['title']}.{name}"
        for model in models
        for name, key in model.get("properties", {}).items()
        if "description" not in key
    ]
    assert undescribed == []
    assert all(model["additionalProperties"] is False for model in models if model.get("type") == "object")
