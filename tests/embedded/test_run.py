"""`logintel run` as a person calls it: real files in, an index, a summary and clear words out."""

from __future__ import annotations

import bz2
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from logintel.main import main
from logintel_devstack.ports import free_port

COMMAND = [sys.executable, "-m", "logintel"]
SAMPLES = Path(__file__).parents[2] / "examples" / "samples"
RULES = Path(__file__).parents[2] / "examples" / "rules"
PARTS = ("events_indexed", "dead_letters", "filtered", "repeats")


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        assert found["events_read"] == sum(found[part] for part in PARTS)
        return found


def logintel(*args: str | Path, cwd: Path | None = None) -> Done:
    done = subprocess.run(
        [*COMMAND, *map(str, args)], capture_output=True, text=True, timeout=300, cwd=cwd, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout
    return Done(done.returncode, done.stdout, done.stderr)


def once(data: Path, *args: str | Path) -> Done:
    return logintel("run", "--once", "--json", "--data", data, *args)


def found(data: Path, query: str = "*") -> list[dict[str, Any]]:
    done = logintel("search", query, "--data", data, "--json", "--limit", "100000")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def count(data: Path, query: str = "*") -> int:
    return int(logintel("search", query, "--count", "--data", data).out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("2026-11-22 10:00:00 ERROR one\n2026-11-22 10:00:01 INFO two\n")
    return path


def test_servers_in_the_configuration_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "both.yaml"
    config.write_text(
        "sources: [{name: a, type: application, paths: [/var/log/a.log]}]\n"
        "bus:\n  kafka: {bootstrap_servers: [kafka:9092]}\n"
        "stores:\n  postgres: {dsn: 'postgresql://postgres/logs'}\n"
    )
    done = logintel("run", "--once", "--config", config, "--data", tmp_path / "data")
    assert done.code == 2
    assert f"{config}:3: bus.kafka: `logintel run` uses no server" in done.err
    assert f"{config}:5: stores.postgres: `logintel run` uses no server" in done.err
    assert "`logintel agent run` and `logintel collector run`" in done.err


def test_a_monitor_is_refused_and_not_passed_over(tmp_path: Path, log: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text('monitor: {listen: "127.0.0.1:9465"}\nsources: []\n')
    done = logintel("run", "--once", "--config", config, "--data", tmp_path / "data", log)
    assert done.code == 2
    assert f"{config}:1: monitor: `logintel run` serves no health" in done.err


def test_every_sample_is_indexed_and_a_second_run_adds_nothing(data: Path) -> None:
    first = once(data, SAMPLES)
    assert first.code == 0, first.err
    assert first.summary["events_read"] > 1000
    assert first.summary["events_indexed"] == first.summary["total_indexed"] == count(data)
    second = once(data, SAMPLES).summary
    assert second["events_read"] == 0
    assert second["total_indexed"] == first.summary["total_indexed"]


def test_what_is_indexed_is_what_was_written(data: Path, log: Path) -> None:
    once(data, log)
    two, one = found(data)
    assert (one["timestamp"], one["level"], one["message"]) == ("2026-11-22T10:00:00.000000Z", "ERROR", "one")
    assert one["metadata"]["log_file"] == str(log)
    assert one["metadata"]["source"] == "files"
    assert two["raw_log"] == "2026-11-22 10:00:01 INFO two"


def test_the_summary_for_a_person(data: Path, log: Path) -> None:
    done = logintel("run", "--once", "--data", data, log)
    assert done.code == 0
    assert re.match(r"2 events read in \d+\.\d s, [\d,]+ a second; 2 indexed\.\n", done.out)
    assert "by source" in done.out
    assert "No alerts." in done.out
    assert len([line for line in done.out.splitlines() if " --data " in line]) == 3


def test_a_directory_and_a_quoted_glob(data: Path, tmp_path: Path, log: Path) -> None:
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    (tmp_path / "logs" / "deep" / "a.log").write_text("a\n")
    assert once(data, tmp_path / "logs").summary["events_read"] == 1
    assert once(data, f"{tmp_path}/*.log").summary["events_read"] == 2
    assert logintel("run", "--once", "--json", "--data", data, "deep/../deep", cwd=tmp_path / "logs").code == 0


def test_a_missing_file_among_good_ones(data: Path, tmp_path: Path, log: Path) -> None:
    done = once(data, tmp_path / "absent.log", log)
    assert done.code == 1
    assert done.err == f"logintel: {tmp_path}/absent.log: No such file or directory\n"
    assert done.summary["events_indexed"] == 2
    assert done.summary["problems"] == [f"{tmp_path}/absent.log: No such file or directory"]


def test_only_missing_files(data: Path, tmp_path: Path) -> None:
    done = once(data, tmp_path / "absent.log")
    assert done.code == 1
    assert done.err.startswith(f"logintel: {tmp_path}/absent.log: no such file")
    assert not data.exists()


def test_an_unreadable_file_among_good_ones(data: Path, tmp_path: Path, log: Path) -> None:
    (tmp_path / "loop.log").symlink_to("loop.log")
    done = once(data, f"{tmp_path}/*.log")
    assert done.code == 1
    assert "loop.log: Too many levels of symbolic links" in done.err
    assert done.summary["events_indexed"] == 2


def test_a_binary_file_is_skipped_and_named(data: Path, tmp_path: Path, log: Path) -> None:
    (tmp_path / "app.log.bz2").write_bytes(bz2.compress(log.read_bytes() * 50))
    (tmp_path / "wtmp").write_bytes(b"\7\0\0\0" * 96)
    done = once(data, tmp_path)
    assert done.code == 0
    assert "wtmp: skipped" in done.err
    assert "app.log.bz2: skipped" in done.err
    assert done.summary["events_indexed"] == 2


def test_the_data_directory_is_not_read(tmp_path: Path, log: Path) -> None:
    assert once(tmp_path / "data", tmp_path).summary["events_read"] == 2
    again = once(tmp_path / "data", tmp_path)
    assert again.summary["events_read"] == 0
    assert again.err == ""


def test_nothing_to_read(data: Path) -> None:
    done = once(data)
    assert done.code == 2
    assert "logintel run /var/log" in done.err


def test_a_broken_configuration_names_every_problem(tmp_path: Path, data: Path) -> None:
    config = tmp_path / "logintel.yaml"
    config.write_text(
        "sources:\n"
        "  - {name: a, type: application, paths: [/x], formt: json}\n"
        "  - {name: a, type: application, paths: 3}\n"
        "  - {name: b, type: aplication, paths: [/x]}\n"
        "  - {name: c, type: application, paths: [/x], record_start: '[a-'}\n"
    )
    done = once(data, "--config", config)
    assert done.code == 2
    assert [line.split(": ", 1)[0] for line in done.err.splitlines()] == [
        f"{config}:2",
        f"{config}:3",
        f"{config}:3",
        f"{config}:4",
        f"{config}:5",
    ]
    assert "did you mean 'format'?" in done.err
    assert "did you mean 'application'?" in done.err
    assert "record_start: not a regular expression: unterminated character set at position 0" in done.err


def test_a_broken_rule_is_said_before_anything_runs(tmp_path: Path, data: Path, log: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yaml").write_text(
        "name: r\nquery: {span_term: {message: a}}\nconditions: {type: match}\nseverity: LOW\n"
    )
    config = tmp_path / "logintel.yaml"
    config.write_text(f"sources: [{{name: a, type: application, paths: ['{log}']}}]\nrules_dir: rules\n")
    done = once(data, "--config", config)
    assert done.code == 2
    assert "r.yaml:2" in done.err
    assert "span_term" in done.err


def test_a_data_directory_in_use(data: Path, log: Path) -> None:
    data.mkdir()
    with (data / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        done = once(data, log)
    assert done.code == 1
    assert done.err == (
        f"logintel: {data} is in use by process {os.getpid()}: stop it, or choose another directory with --data\n"
    )


def test_a_data_directory_that_cannot_be_made(tmp_path: Path, log: Path) -> None:
    done = once(log / "below", log)
    assert done.code == 1
    assert done.err == f"logintel: data directory {log}/below: Not a directory: name another one with --data\n"


def test_a_store_that_is_none(data: Path, log: Path) -> None:
    data.mkdir()
    (data / "logintel.sqlite").write_text("this is no database, but text that somebody put there\n" * 40)
    done = once(data, log)
    assert done.code == 1
    assert "logintel.sqlite" in done.err
    assert "move it aside" in done.err


def test_alerts_are_raised_once_and_told_by_webhook(tmp_path: Path, data: Path) -> None:
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = tmp_path / "logintel.yaml"
    config.write_text(
        f"sources: [{{name: hosts, type: application, paths: ['{SAMPLES}/hosts'], timezone: UTC}}]\n"
        f"rules_dir: {RULES}\n"
        f"notify: [{{type: webhook, url: 'http://127.0.0.1:{server.server_port}/'}}]\n"
    )
    try:
        first = once(data, "--config", config).summary
        again = once(data, "--config", config).summary
    finally:
        server.shutdown()
        server.server_close()
    assert first["alerts"] > 0
    assert again["alerts"] == 0
    opened = [body for body in told if body["occasion"] == "opened"]
    assert len(opened) == first["alerts"] == len({body["alert"]["id"] for body in opened})
    listed = logintel("alerts", "list", "--data", data, "--json").out.splitlines()
    assert {json.loads(line)["id"] for line in listed} == {body["alert"]["id"] for body in opened}


@pytest.fixture
def watching(data: Path, tmp_path: Path) -> Iterator[Any]:
    """Starts `logintel run` without --once; ended at the latest with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*args: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, "run", "--data", str(data), *map(str, args)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def eventually(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_watches_until_stopped_and_says_what_it_did(data: Path, log: Path, watching: Any) -> None:
    process = watching(log, "--json")
    eventually(lambda: (data / "logintel.sqlite").exists() and count(data) == 2)
    with log.open("a") as out:
        out.write("2026-11-22 10:00:02 WARN three\n")
    eventually(lambda: count(data, "level:WARN") == 1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["events_indexed"] == 3
    assert once(data, log).summary["events_read"] == 0


def test_what_is_received_is_indexed_and_a_port_in_use_stops_nothing_else(
    tmp_path: Path, data: Path, log: Path, watching: Any
) -> None:
    port = free_port(())
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        config = tmp_path / "logintel.yaml"
        config.write_text(
            "sources:\n"
            f"  - {{name: net, type: application, listen: ['tcp://127.0.0.1:{port}']}}\n"
            f"  - {{name: taken, type: application, listen: ['tcp://127.0.0.1:{taken}']}}\n"
            f"  - {{name: files, type: application, paths: ['{log}']}}\n"
        )
        process = watching("--config", config, "--json")
        eventually(lambda: (data / "logintel.sqlite").exists() and count(data) == 2)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
            sender.sendall(b"".join(b"<14>Nov 22 10:00:00 web app: message %d\n" % n for n in range(1000)))
        eventually(lambda: count(data, "metadata.source:net") == 1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"source taken: cannot listen on tcp://127.0.0.1:{taken}: " in err
    assert "choose another address" in err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["events_indexed"] == 1002
    assert len({document["log_id"] for document in found(data)}) == 1002


def test_what_a_killed_run_received_is_indexed_by_the_next(tmp_path: Path, data: Path, watching: Any) -> None:
    port = free_port(())
    config = tmp_path / "logintel.yaml"
    config.write_text(
        f"sources: [{{name: net, type: application, listen: ['tcp://127.0.0.1:{port}'], format: plain}}]\n"
    )
    process = watching("--config", config)
    deadline = time.monotonic() + 120
    while True:
        try:
            sender = socket.create_connection(("127.0.0.1", port), timeout=10)
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with sender:
        sender.sendall(b"".join(b"message %d\n" % n for n in range(20_000)))
        spool = data / "agent" / "worker-0" / "spool" / "net"
        eventually(lambda: sum(path.stat().st_size for path in spool.glob("*.seg")) > 1_000_000)
        process.kill()
        process.wait()
    summary = once(data, "--config", config).summary
    texts = [document["message"] for document in found(data)]
    assert len(texts) == len(set(texts)) == summary["total_indexed"] > 0
    assert set(texts) <= {f"message {n}" for n in range(20_000)}


def test_progress_is_shown_on_a_terminal_only(data: Path, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "hosts", tmp_path / "hosts")
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "run", "--once", "--data", str(data), str(tmp_path / "hosts")], stdout=subprocess.PIPE, stderr=screen
    )
    os.close(screen)
    shown = b""
    while True:
        try:
            part = os.read(keyboard, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(keyboard)
    assert process.wait(300) == 0
    assert process.stdout is not None
    with process.stdout:
        assert b"\x1b" not in process.stdout.read()
    assert re.search(rb"[\d,]+ read .* [\d,]+ indexed", shown)
    assert shown.endswith(b"\r\x1b[2K")


def piped(data: Path, text: str, *args: str) -> Done:
    """A run whose standard input is a pipe that `text` comes through."""
    done = subprocess.run(
        [*COMMAND, "run", "--data", str(data), "--json", *args],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=300,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


TRACE = "2026-11-22 10:00:00 ERROR boom\njava.lang.IllegalStateException: x\n\tat shop.Cart.add(Cart.java:7)\n"


def test_what_is_piped_in_is_indexed_and_the_end_of_the_pipe_ends_the_run(data: Path, log: Path) -> None:
    lines = [f"2026-11-22 10:00:01 INFO message {n}" for n in range(3000)]
    done = piped(data, TRACE + "\n".join(lines), "-")
    assert (done.code, done.err) == (0, "")
    assert done.summary["by_source"] == {"stdin": 3001}
    assert {document["raw_log"] for document in found(data)} == {TRACE.strip(), *lines}
    again = piped(data, "2026-11-22 10:00:02 INFO one more\n", "-", str(log), "--once")
    assert again.summary["by_source"] == {"files": 2, "stdin": 1}


def test_the_pipe_belongs_to_one_source(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "logintel.yaml"
    config.write_text("sources: [{name: a, type: application, stdin: true}]\n")
    assert main(["run", "--data", str(data), "--config", str(config), "-"]) == 2
    assert "`-` cannot be added: a source reads the standard input already" in capfd.readouterr().err


def test_sources_show_how_the_run_left_them(data: Path, log: Path, tmp_path: Path) -> None:
    once(data, log, tmp_path / "missing.log")
    done = logintel("sources", "list", "--data", data)
    assert (done.code, done.err) == (0, "")
    head, files = done.out.splitlines()
    assert head.split() == ["name", "type", "host", "status", "last", "event", "lag", "streams", "errors", "agent"]
    assert files.split()[:4] == ["files", "application", socket.gethostname(), "degraded"]
    shown = logintel("sources", "show", "files", "--data", data)
    assert f"{tmp_path}/missing.log: No such file or directory" in shown.out
    once(data, log)
    (row,) = (json.loads(line) for line in logintel("sources", "list", "--json", "--data", data).out.splitlines())
    assert (row["status"], row["detail"]["lag_bytes"], row["configuration"]["paths"]) == ("healthy", 0, [str(log)])
    assert row["last_health_check"] is not None
    with closing(sqlite3.connect(data / "logintel.sqlite")) as store, store:
        store.execute("UPDATE log_sources SET last_health_check = '2026-11-01T00:00:00.000000Z'")
    assert "ago, nothing watches since: start `logintel run`" in logintel("sources", "list", "--data", data).err
    unknown = logintel("sources", "show", "shop", "--data", data)
    assert (unknown.code, unknown.out) == (1, "")
    assert "no source is named 'shop': `logintel sources list --all`" in unknown.err
