"""What a command loads: start-up stays fast, and nobody needs a client library of a server that is not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SERVERS = {"aiokafka", "asyncpg", "elasticsearch", "httpx"}


def loaded(*arguments: str, cwd: Path) -> set[str]:
    """The top-level modules that are loaded when `logintel ARGUMENTS` has ended well."""
    script = "import sys; from logintel.main import main; code = main(sys.argv[1:]); print(); print(*sys.modules); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=cwd, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_the_version_costs_next_to_nothing(tmp_path: Path) -> None:
    assert loaded("--version", cwd=tmp_path) & (SERVERS | {"pydantic", "yaml", "sqlite3", "asyncio"}) == set()


def test_embedded_commands_need_no_client_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("2026-01-02 03:04:05 ERROR no such order\n")
    assert loaded("run", "--data", "data", "--once", "app.log", cwd=tmp_path) & SERVERS == set()
    assert loaded("search", "--data", "data", "order", cwd=tmp_path) & SERVERS == set()
