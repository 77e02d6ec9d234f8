"""The documentation: what it shows can be done as shown. README.md and every page of docs/ is run from top to bottom.

A console block: each `$ ` line is run in bash; the lines below it are its standard output. `…` stands for any text in a line,
alone on a line for any lines, and a number of seconds for any other. A block whose first line is `# NAME.EXT` is a file:
the rest of it is written there, or is compared with the repository's file of that name. Other blocks are only shown: what
needs a network, root or the reader's own files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from logintel_devstack.cache import cache_dir
from logintel_devstack.stack import Stack

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("[!.]*/README.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (?P<name>[\w./-]+\.\w+)\n")
LINK = re.compile(r"\]\((?!https?:|#)(?P<path>[^)#]+)")


class Step(NamedTuple):
    """A command as shown and the output shown below it."""

    command: str
    output: str


def steps(text: str) -> Iterator[Step]:
    """The commands of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        last = next(place for place, line in enumerate(lines) if not line.endswith("\\\n"))
        yield Step("".join(lines[: last + 1]), "".join(lines[last + 1 :]))


def pattern(output: str) -> re.Pattern[str]:
    """What the output shown stands for."""
    lines = []
    for line in output.splitlines():
        text = re.escape(line.rstrip()).replace("…", ".*")
        lines.append(
            "(?:.*\n)*" if line.strip() == "…" else re.sub(r"\d+\\\.\d+(\\ s\b)", r"\\d+\\.\\d+\1", text) + " *\n"
        )
    return re.compile("".join(lines))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A checkout as a user has it after the first `make run`, but for what is left in it."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "requirements.txt", "packaging", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.prefix) / "bin")
    (tmp_path / ".venv/.installed").touch()
    (tmp_path / ".cache/logintel").mkdir(parents=True)
    (tmp_path / ".cache/logintel/devstack").symlink_to(cache_dir())
    yield tmp_path
    Stack(tmp_path / "stack").down()


def run(command: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    """Run it as a user would, away from the user's own state."""
    path = f"{workspace}/.venv/bin:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(workspace), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", "-c", command], cwd=workspace, env=env, check=False, timeout=600,
        text=True, capture_output=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def place(file: Path, text: str) -> None:
    """Write a file that a page shows; what is there already must say the same."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    assert file.read_text("utf-8") == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_happens(page: Path, workspace: Path) -> None:
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if named := NAME.match(block["text"]):
            place(workspace / named["name"], block["text"][named.end() :])
        for step in steps(block["text"]) if block["kind"] == "console" else ():
            done = run(step.command, workspace)
            assert pattern(step.output).fullmatch(done.stdout), f"$ {step.command}printed:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        link["path"] for link in LINK.finditer(page.read_text("utf-8")) if not (page.parent / link["path"]).exists()
    ]
    assert missing == []


def test_a_page_that_shows_something_else_is_caught(workspace: Path) -> None:
    (step,) = steps("$ echo one; \\\n  echo two 1.5 s\n…\ntwo 0.1 s\n")
    assert pattern(step.output).fullmatch(run(step.command, workspace).stdout)
    assert not pattern("one\ntwo\n").fullmatch(run(step.command, workspace).stdout)
