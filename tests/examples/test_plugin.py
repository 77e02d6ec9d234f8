"""The example plugin: installed as a third party's, it is found, configured and read from its cursor."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "examples/plugin"
CONFIG = """
sources:
  - {name: shop-audit, type: audit-table, database: shop.sqlite}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with the plugin installed in `site`, and a configuration and a database for it."""
    shutil.copytree(PLUGIN, tmp_path / "plugin")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    install = [sys.executable, "-m", "pip", "install", *options, "--target", "site", "./plugin"]
    done = subprocess.run(install, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "audit.yaml").write_text(CONFIG, "utf-8")
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as database:
        database.execute("CREATE TABLE audit (id INTEGER PRIMARY KEY, at TEXT, actor TEXT, action TEXT)")
        database.commit()
    return tmp_path


def audit(workspace: Path, *rows: tuple[int, str, str, str]) -> None:
    with closing(sqlite3.connect(workspace / "shop.sqlite")) as database:
        database.executemany("INSERT INTO audit VALUES (?, ?, ?, ?)", rows)
        database.commit()


def logintel(workspace: Path, *arguments: str) -> str:
    """What the command prints."""
    command = [str(Path(sys.executable).with_name("logintel")), *arguments, "--data", "data", "--json"]
    env = {**os.environ, "PYTHONPATH": str(workspace / "site")}
    done = subprocess.run(command, cwd=workspace, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_rows_become_events_once(workspace: Path) -> None:
    audit(
        workspace, (1, "2026-01-02 03:04:05", "ann", "opened the till"), (7, "2026-01-02 03:05:00", "bob", "closed it")
    )
    first = json.loads(logintel(workspace, "run", "--config", "audit.yaml", "--once").splitlines()[-1])
    assert (first["events_read"], first["events_indexed"]) == (2, 2)

    audit(workspace, (8, "2026-01-02 03:06:00", "bob", "went home"))
    second = json.loads(logintel(workspace, "run", "--config", "audit.yaml", "--once").splitlines()[-1])
    assert (second["events_read"], second["repeats"], second["total_indexed"]) == (1, 0, 3)

    (found,) = map(json.loads, logintel(workspace, "search", "metadata.user:ann").splitlines())
    assert found["timestamp"] == "2026-01-02T03:04:05.000000Z"
    assert found["message"] == "ann opened the till"
    assert found["metadata"]["source"] == "shop-audit"


def test_it_keeps_the_contract_of_sources(workspace: Path) -> None:
    """As its author would have it tested."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "plugin"]
    env = {**os.environ, "PYTHONPATH": str(workspace / "site")}
    done = subprocess.run(words, cwd=workspace, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
