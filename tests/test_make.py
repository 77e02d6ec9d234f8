"""The Makefile: arguments reach logintel as they were meant, and what an installation lacks is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is installed already, with a `logintel` that says how it was called."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "requirements.txt", "packaging", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    script(tmp_path / ".venv/bin/logintel", 'printf "<%s>" "$@"')
    (tmp_path / ".venv/.installed").touch()
    (tmp_path / "app.log").touch()
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call make as a user would, not as a part of a make that runs these tests."""
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=checkout, env=env | environment, check=False, capture_output=True, text=True)


def test_run_reads_the_samples_into_a_fresh_directory(checkout: Path) -> None:
    (checkout / ".run").mkdir()
    (checkout / ".run/old").touch()
    done = make(checkout, "run")
    assert done.stdout == "<run><--config><examples/embedded.yaml><--data><.run><--once>", done.stderr
    assert not (checkout / ".run").exists()


def test_globs_reach_logintel_as_written(checkout: Path) -> None:
    (checkout / ".run").mkdir()
    assert make(checkout, "run", "ARGS=*.log /var/log/?.log --once").stdout == (
        "<run><--data><.run><*.log></var/log/?.log><--once>"
    )
    assert make(checkout, "run", ARGS="*.log").stdout == "<run><--data><.run><*.log>"
    assert (checkout / ".run").exists()


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "logintel needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt install {name}-venv"),
    ],
)
def test_an_unfit_python_is_named_before_anything_is_made(checkout: Path, python: str, said: str) -> None:
    interpreter = script(checkout / "bin/python3.99", python)
    (checkout / ".venv/.installed").unlink()
    done = make(checkout, "lint", f"PYTHON={interpreter}")
    assert done.returncode == 2
    assert said.format(name="python3.99") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_python_is_named(checkout: Path) -> None:
    (checkout / ".venv/.installed").unlink()
    done = make(checkout, "lint", "PYTHON=python3.99")
    assert "there is no 'python3.99'" in done.stderr
