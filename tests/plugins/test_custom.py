"""The custom source: formats described in configuration alone, and the samples that hold them to it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from logintel.config.load import load
from logintel.config.problem import Misconfigured
from logintel.event import UNPARSED, Event
from logintel.formats import Reading, decode_records
from logintel.main import main
from logintel_agent.config import AgentConfig
from logintel_custom.custom_format import CustomFormat
from logintel_custom.format_config import FormatConfig
from logintel_custom.grok import DEFINITIONS, Expanded
from logintel_custom.stamps import Stamps

READING = Reading(ZoneInfo("Europe/Berlin"), datetime(2026, 3, 1, 10, tzinfo=UTC))

FORMATS: dict[str, dict[str, Any]] = {
    "pattern": {
        "pattern": r"(?P<timestamp>\S+ \S+) (?P<level>\w) (?P<class>\S+) (?P<ms>\S+) (?P<message>.*)",
        "timestamp": {"layout": "%d.%m.%Y %H:%M:%S,%f"},
        "level": {"map": {"F": "ERROR"}},
        "types": {"ms": "float"},
    },
    "grok": {
        "grok": r"%{IP:client_ip} %{WORD:verb} %{PATH:path} %{STATION:[station][id]:int} %{GREEDYDATA:message}",
        "definitions": {"STATION": r"S%{INT}"},
    },
    "csv": {"csv": {"columns": ["timestamp", "", "level", "ok", "message"], "delimiter": ";"}, "types": {"ok": "bool"}},
    "json": {"json": {"message": "$.event.text", "timestamp": "ts", "tag": "event.tags[1]"}, "types": {"n": "int"}},
    "pairs": {"pairs": {"between": "; ", "sign": ": "}, "message": "msg", "timestamp": {"field": "at"}},
}


def form(name: str) -> CustomFormat:
    return CustomFormat(FormatConfig.model_validate(FORMATS[name]))


def event_of(name: str, record: str) -> Event:
    (event,), _ = decode_records(form(name), [record], READING)
    assert event.raw == record
    return event


def test_a_pattern_with_a_layout_words_of_its_own_and_a_type() -> None:
    event = event_of("pattern", "24.12.2025 10:11:12,5 F Press 7,25 stuck\n  at the mill")
    assert event.timestamp == "2025-12-24T09:11:12.500000Z"
    assert (event.level, event.message) == ("ERROR", "stuck\n  at the mill")
    assert event.fields == {"class": "Press"}
    assert event.metadata == {"level_text": "F", "ms": 7.25}


def test_grok_with_a_definition_of_ones_own() -> None:
    event = event_of("grok", "10.0.0.7 GET /a/b S12 done")
    assert event.message == "done"
    assert event.metadata == {
        "client_ip": "10.0.0.7",
        "verb": "GET",
        "path": "/a/b",
        "station.id": "S12",
        "parse_error": "station.id: not of type int",
    }


def test_cells_of_a_csv() -> None:
    event = event_of("csv", '2026-01-02 03:04:05;left out;WARN;yes;"a ""b""; c"')
    assert event.timestamp == "2026-01-02T02:04:05.000000Z"
    assert (event.level, event.message, event.metadata) == ("WARN", 'a "b"; c', {"ok": True})
    assert event_of("csv", "timestamp;;level;ok;message").tags == [UNPARSED]
    assert event_of("csv", "one cell").tags == [UNPARSED]


def test_paths_of_a_json_object_and_its_other_members() -> None:
    record = json.dumps({"ts": 1767322800, "n": "5", "event": {"text": "hi", "tags": ["a", "b"]}, "host": "h"})
    event = event_of("json", record)
    assert event.timestamp == "2026-01-02T03:00:00.000000Z"
    assert (event.message, event.fields) == ("hi", {"host": "h"})
    assert event.metadata == {"n": 5, "tag": "b", "event": {"text": "hi", "tags": ["a", "b"]}}
    assert event_of("json", "[1]").tags == [UNPARSED]


def test_pairs_with_separators_of_their_own() -> None:
    event = event_of("pairs", 'at: 2026-01-02T03:04:05Z; level: info; path: "/a; b"; msg: all is well')
    assert event.timestamp == "2026-01-02T03:04:05.000000Z"
    assert (event.level, event.message) == ("INFO", "all is well")
    assert event.metadata == {"level_text": "info", "path": "/a; b"}


@pytest.mark.parametrize("name", FORMATS)
@given(records=st.lists(st.text(max_size=60), max_size=3))
def test_any_text_is_an_event(name: str, records: list[str]) -> None:
    events, numbers = decode_records(form(name), records, READING)
    assert list(numbers) == list(range(len(records)))
    assert [event.raw for event in events] == records


@pytest.mark.parametrize(
    ("text", "utc"), [("24.12. 10:00", "2025-12-24T09:00:00"), ("01.03. 11:00", "2026-03-01T10:00:00")]
)
def test_a_layout_without_a_year_takes_the_latest_that_is_not_ahead(text: str, utc: str) -> None:
    assert Stamps("%d.%m. %H:%M", READING).text(text) == f"{utc}.000000Z"


def test_a_leap_day_without_a_year() -> None:
    assert Stamps("%d.%m. %H:%M", READING).text("29.02. 12:00") == "2024-02-29T11:00:00.000000Z"
    assert Stamps("%d.%m. %H:%M", READING).text("30.02. 12:00") is None


GROK = {
    "TIMESTAMP_ISO8601": ("2026-01-02T03:04:05.123+01:00", "2026-01-02"),
    "SYSLOGTIMESTAMP": ("Jan  2 03:04:05", "2 Jan"),
    "HTTPDATE": ("02/Jan/2026:03:04:05 +0100", "2026-01-02"),
    "IP": ("2001:db8::1", "300.1.1.1"),
    "NUMBER": ("-1.5e3", "x"),
    "LOGLEVEL": ("Warning", "wan"),
    "QUOTEDSTRING": (r'"a \" b"', '"a'),
    "UUID": ("123e4567-e89b-12d3-a456-426614174000", "123e4567"),
    "MAC": ("00:1b:44:11:3a:b7", "00:1b"),
    "URI": ("https://u@h.example:8443/a?b=c", "/a"),
    "COMBINEDAPACHELOG": (
        '10.0.0.1 - bob [02/Jan/2026:03:04:05 +0100] "GET /a HTTP/1.1" 200 5 "-" "curl/8"',
        '10.0.0.1 - bob "GET /a"',
    ),
}


@pytest.mark.parametrize("name", GROK)
def test_what_grok_users_know_matches_what_it_should(name: str) -> None:
    fits, does_not = GROK[name]
    expanded = Expanded(f"%{{{name}:it}}$", {})
    assert expanded.pattern.match(fits)
    assert not expanded.pattern.match(does_not)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_definition_compiles_and_takes_no_long_line_apart_for_ever(name: str) -> None:
    pattern = Expanded(f"%{{{name}}}\x00", {}).pattern
    for text in ("a" * 20_000, "1." * 10_000, "/a" * 10_000, '"' * 10_000, "a " * 10_000, ":" * 10_000):
        assert pattern.match(text) is None


CONFIG = """\
sources:
  - name: press
    type: custom
    paths: [press.log]
    timezone: UTC
"""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("    format: {}\n", 6, r"format: expected one of pattern, grok, csv, json, pairs; got none"),
        ("    format:\n      pattern: '(?P<a>.'\n", 7, r"format\.pattern: not a regular expression"),
        ("    format:\n      pattern: 'a'\n", 7, r"format\.pattern: has no named group"),
        ("    format:\n      grok: '%{WRD:a}'\n", 6, r"format: unknown grok pattern 'WRD'; did you mean 'WORD'"),
        (
            "    format: {csv: {columns: [a]}, timestamp: {layout: '%H:%M'}}\n",
            6,
            r"timestamp\.layout: '%H:%M' names no day",
        ),
        ("    format: {json: {message: 'a..b'}}\n", 6, r"json\.message: 'a\.\.b' is not a path"),
        ("    format: {csv: {columns: [a]}, types: {a: number}}\n", 6, r"types\.a: expected 'int', 'float' or 'bool'"),
        (
            "    format: {csv: {columns: [a]}}\n    record_end: x\n    record_start: y\n",
            2,
            r"expected one of `record_start`",
        ),
    ],
)
def test_what_is_wrong_is_told_by_line_and_key(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(CONFIG + text)
    with pytest.raises(Misconfigured) as raised:
        load(AgentConfig, file, tmp_path)
    (problem,) = raised.value.problems
    assert re.search(said, f"{problem.key}: {problem.message}"), str(problem)
    assert problem.line == line


def test_a_sample_that_becomes_something_else_is_told(tmp_path: Path) -> None:
    sample = {"text": "a 1\nb 2\n", "events": [{"message": "a"}, {"message": "c", "metadata": {"n": 3}, "colour": 1}]}
    file = tmp_path / "agent.yaml"
    source = yaml.safe_load(CONFIG)["sources"][0]
    source |= {"format": {"pattern": r"(?P<message>\w) (?P<n>\d)", "types": {"n": "int"}}, "samples": [sample]}
    file.write_text(yaml.safe_dump({"sources": [source]}))
    with pytest.raises(Misconfigured) as raised:
        load(AgentConfig, file, tmp_path)
    assert {problem.message for problem in raised.value.problems} == {
        "event 2: message: expected 'c', got 'b'",
        "event 2: metadata.n: expected 3, got 2",
        "event 2: colour: an event has no such part; known: timestamp, level, message, tags, parsed_fields, metadata",
    }
    assert {problem.key for problem in raised.value.problems} == {"sources[0].samples[0]"}
    sample["events"] = [{"message": "a"}]
    file.write_text(yaml.safe_dump({"sources": [source]}))
    with pytest.raises(Misconfigured, match="expected 1 events, got 2"):
        load(AgentConfig, file, tmp_path)


def test_an_unknown_kind_of_format_is_refused() -> None:
    with pytest.raises(ValidationError, match="got pattern and csv"):
        FormatConfig.model_validate({"pattern": "(?P<a>.)", "csv": {"columns": ["a"]}})


def test_from_file_to_index(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "press.log").write_text("BEGIN\n1 ok\n2 ok;\n3 bad;\n\n4 half")
    config = tmp_path / "run.yaml"
    source = yaml.safe_load(CONFIG)["sources"][0]
    source |= {
        "paths": [str(tmp_path / "press.log")],
        "record_end": ";$",
        "format": {"pattern": r"(?s)(?P<head>\w+)\s(?P<message>.*)"},
    }
    config.write_text(yaml.safe_dump({"sources": [source]}))
    data = ["--data", str(tmp_path / "data")]
    assert main(["run", "--config", str(config), *data, "--once"]) == 0
    capsysbinary.readouterr()
    assert main(["search", "*", *data, "--json"]) == 0
    found = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    said = {(document["metadata"]["head"], document["message"]) for document in found}
    assert said == {("BEGIN", "1 ok\n2 ok;"), ("3", "bad;"), ("4", "half")}
    assert {document["metadata"]["format"] for document in found} == {"custom"}
