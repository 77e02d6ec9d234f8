"""The `logintel` command: finding its sub-commands, exit codes, and what it says when something goes wrong."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logintel.main import main

BROKEN = "import nothing_of_that_name\n"
COMMAND = '''"""Fail in the way that is asked for.

More of it.
"""
import errno, os, signal, sys, time
from logintel.config.problem import Misconfigured, Problem
from logintel.refused import Refused

EXAMPLES = """
logintel fail refused
"""

ERRORS = {
    "refused": Refused("port 5140 is in use by process 12: stop it or name another with --port"),
    "config": Misconfigured([Problem("a.yaml", 3, "x.y", "unknown key"), Problem("a.yaml", 0, "", "is empty")]),
    "disk": OSError(errno.ENOSPC, "No space left on device", "/data/bus/1.log"),
    "group": ExceptionGroup("tasks", [Refused("one"), ExceptionGroup("inner", [Refused("two"), Refused("one")])]),
    "bug": ZeroDivisionError("division by zero"),
    "group-bug": ExceptionGroup("tasks", [ZeroDivisionError("division by zero"), ZeroDivisionError("again")]),
    "interrupt": KeyboardInterrupt(),
}

def arguments(parser):
    """One argument."""
    parser.add_argument("how")

def run(args):
    """Fail."""
    if args.how == "wait":
        # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("waiting", flush=True)
        time.sleep(60)
    if args.how == "print":
        for _ in range(100_000):
            print("x" * 100)
    if args.how == "print-in-group":
        try:
            run(type(args)(how="print"))
        except BrokenPipeError as error:
            raise ExceptionGroup("tasks", [error])
    if args.how in ERRORS:
        raise ERRORS[args.how]
    return int(args.how)
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed distribution that adds the commands `fail` and `broken`."""
    (tmp_path / "failing_command.py").write_text(COMMAND)
    (tmp_path / "broken_command.py").write_text(BROKEN)
    info = tmp_path / "failing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: failing\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[logintel.commands]\nfail = failing_command\nbroken = broken_command\n")
    return tmp_path


def environment(site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), "TMPDIR": str(site), "LOGINTEL_DEBUG": ""}


SCRIPT = "import sys; from logintel.main import main; sys.exit(main())"


def logintel(site: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={**environment(site), **extra},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"logintel {importlib.metadata.version('logintel')}\n"


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serch"]) == 2
    assert capsys.readouterr().err == "logintel: unknown command 'serch'; did you mean 'search'?\n"


def test_the_overview_lists_every_command_with_its_first_line_and_a_broken_one_as_broken(site: Path) -> None:
    done = logintel(site, "--help")
    assert done.returncode == 0
    assert re.search(r"^  fail +Fail in the way that is asked for\.$", done.stdout, re.MULTILINE)
    assert re.search(r"^  config +Check, show", done.stdout, re.MULTILINE)
    assert re.search(
        r"^  broken +\(broken: ModuleNotFoundError: No module named 'nothing_of_that_name'\)$",
        done.stdout,
        re.MULTILINE,
    )


def test_without_a_command_the_overview_is_shown_as_a_usage_error(site: Path) -> None:
    done = logintel(site)
    assert (done.returncode, done.stdout.split("\n")[0]) == (2, "usage: logintel [-h] [--version] COMMAND ...")


def test_help_of_a_command_ends_with_its_examples(site: Path) -> None:
    done = logintel(site, "fail", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: logintel fail [-h] how\n")
    assert done.stdout.endswith("examples:\n  logintel fail refused\n")


@pytest.mark.parametrize(
    ("how", "code", "stderr"),
    [
        ("0", 0, ""),
        ("1", 1, ""),
        ("refused", 1, "logintel: port 5140 is in use by process 12: stop it or name another with --port\n"),
        ("config", 2, "a.yaml:3: x.y: unknown key\na.yaml: is empty\n"),
        (
            "disk",
            1,
            ("logintel: /data/bus/1.log: No space left on device: make room or mend it, then start again; "
            "what was acknowledged is kept\n"),
        ),
        ("group", 1, "logintel: one\nlogintel: two\n"),
        ("interrupt", 130, ""),
    ],
)  # fmt: skip
def test_each_end_has_its_exit_code_and_one_clear_message(site: Path, how: str, code: int, stderr: str) -> None:
    done = logintel(site, "fail", how)
    assert (done.returncode, done.stderr) == (code, stderr)


@pytest.mark.parametrize("how", ["bug", "group-bug"])
def test_a_bug_is_said_to_be_one_and_its_traceback_kept_for_this_user_alone(site: Path, how: str) -> None:
    done = logintel(site, "fail", how)
    assert done.returncode == 1
    match = re.fullmatch(
        r"logintel: this is a bug: ZeroDivisionError: division by zero; please report it with (\S+)\n", done.stderr
    )
    assert match
    kept = Path(match[1])
    assert "ZeroDivisionError: division by zero" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_the_traceback_of_a_bug_is_shown_on_request(site: Path) -> None:
    done = logintel(site, "fail", "bug", LOGINTEL_DEBUG="1")
    assert "Traceback (most recent call last)" in done.stderr
    assert list(site.glob("logintel-*.traceback")) == []


def test_a_command_that_cannot_be_loaded_is_refused(site: Path) -> None:
    done = logintel(site, "broken")
    assert done.returncode == 1
    assert done.stderr == (
        "logintel: command 'broken' cannot be loaded (ModuleNotFoundError: No module named 'nothing_of_that_name'): "
        "is logintel installed whole?\n"
    )


def test_wrong_arguments_are_a_usage_error(site: Path) -> None:
    done = logintel(site, "fail")
    assert done.returncode == 2
    assert done.stderr.endswith("logintel fail: error: the following arguments are required: how\n")


def test_an_interrupt_ends_quietly(site: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "fail", "wait"],
        env=environment(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (130, b"")


@pytest.mark.parametrize("how", ["print", "print-in-group"])
def test_a_reader_that_goes_away_ends_it_quietly(site: Path, how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "fail", how],
        env=environment(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 141
