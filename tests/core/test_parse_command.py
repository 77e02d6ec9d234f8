"""`logintel parse` shows each event as it would be sent, with its lines; bad input gets one line and an exit code."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logintel import parse_command
from logintel.refused import Refused

LOG = """\
2026-11-22 10:00:00,123 [main] INFO  shop.Orders - order 17 placed

2026-11-22 10:00:01,000 [main] ERROR shop.Orders - no stock
java.lang.IllegalStateException: empty
\tat shop.Stock.take(Stock.java:42)
"""


def parse(capfdbinary: pytest.CaptureFixture[bytes], *words: str) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser()
    parse_command.arguments(parser)
    assert parse_command.run(parser.parse_args(["--now", "2026-11-22T12:00:00Z", *words])) == 0
    sys.stdout.flush()
    return [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]


def code(*words: str) -> int:
    parser = argparse.ArgumentParser()
    parse_command.arguments(parser)
    return parse_command.run(parser.parse_args(list(words)))


def test_events_with_their_lines(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "shop.log").write_text(LOG)
    found = parse(capfdbinary, "--timezone", "Europe/Berlin", str(path))
    assert [(item["lines"], item["format"]) for item in found[:2]] == [([1, 1], "java"), ([3, 5], "java")]
    first, second = found[0]["event"], found[1]["event"]
    assert (first["timestamp"], first["level"], first["message"]) == (
        "2026-11-22T09:00:00.123000Z",
        "INFO",
        "order 17 placed",
    )
    assert first["parsed_fields"] == {"thread": "main", "class": "shop.Orders"}
    assert first["metadata"]["source_type"] == "application"
    assert first["metadata"]["timestamp_from"] == "record"
    assert second["parsed_fields"]["stack_trace"].endswith("(Stock.java:42)")
    assert second["raw_log"] == "\n".join(LOG.split("\n")[2:5])


def test_an_undated_event_follows_the_last_dated_one(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "a.log").write_text("hello\n2026-11-22T10:00:00Z world\nagain\n")
    found = [item["event"] for item in parse(capfdbinary, "--format", "text", str(path))]
    stamps = [(event["metadata"]["timestamp_from"], event["tags"]) for event in found]
    assert stamps[0] == ("mtime", ["_unparsed"])
    assert stamps[1][0] == "record"
    assert all(origin == "previous" for origin, _ in stamps[2:])
    assert found[0]["raw_log"] == "hello"
    assert "text" in found[0]["metadata"]["parse_error"]


def test_ids_do_not_change_between_runs(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "a.log").write_text(LOG)
    first, second = parse(capfdbinary, str(path)), parse(capfdbinary, str(path))
    assert first == second
    assert len({item["event"]["log_id"] for item in first}) == len(first)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(
    encoding: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (path := tmp_path / "a.log").write_bytes("Grüße\nzwei\n".encode(encoding))
    assert [item["event"]["raw_log"] for item in parse(capfdbinary, "--format", "json", str(path))] == ["Grüße", "zwei"]


def test_a_named_encoding(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "a.log").write_bytes("Привет".encode("cp1251"))
    (found,) = parse(capfdbinary, "--encoding", "cp1251", str(path))
    assert found["event"]["message"] == "Привет"
    assert found["event"]["tags"] == []


def test_damaged_bytes_are_kept_and_marked(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "a.log").write_bytes(
        b"2026-11-22 10:00:00 caf\xe9 closed\r\n2026-11-22 10:00:01 caf\xc3\xa9 open"
    )
    damaged, whole = (item["event"] for item in parse(capfdbinary, str(path)))
    assert damaged["raw_log"] == "2026-11-22 10:00:00 caf\\xe9 closed"
    assert damaged["tags"] == ["_damaged"]
    assert "decode_error" in damaged["metadata"]
    assert whole["raw_log"].endswith("café open")
    assert whole["tags"] == []


def test_an_empty_file_has_no_events(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (path := tmp_path / "a.log").write_bytes(b"\n\n \n")
    assert parse(capfdbinary, str(path)) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--format", "jsno"), "known: access"), (("--source", "applicaton"), "known: application"), (("--timezone", "Nowhere/At_all"), "Europe/Berlin"), (("--encoding", "utf-9"), "utf-8"),
     (("--now", "soon"), "ISO 8601")],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "a.log").write_text("x")
    assert code(*words, str(path)) == 2
    complaint = capsys.readouterr().err
    assert repr(words[1]) in complaint
    assert says in complaint
    assert complaint.count("\n") == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"missing\.log: No such file"):
        code(str(tmp_path / "missing.log"))
    with pytest.raises(Refused, match="directory"):
        code(str(tmp_path))


def test_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from logintel.main import main; sys.exit(main())", "parse", "--format", "json", "-"],
        input=b'{"level":"warn","msg":"low"}\n', capture_output=True, check=True,
    )  # fmt: skip
    event = json.loads(done.stdout)["event"]
    assert (event["level"], event["message"], event["metadata"]["timestamp_from"]) == ("WARN", "low", "received")
