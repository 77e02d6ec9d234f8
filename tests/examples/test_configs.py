"""The example configurations: each is one that `logintel config check` takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = [
    *sorted((ROOT / "examples").glob("*.yaml")),
    ROOT / "agent" / "agent.yaml",
    ROOT / "collector" / "collector.yaml",
]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_an_example_is_valid(path: Path, tmp_path: Path) -> None:
    """Where it will stand; beside it are the rules that it names."""
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules").symlink_to(ROOT / "examples" / "rules")
    (tmp_path / path.name).symlink_to(path)
    command = [str(Path(sys.executable).with_name("logintel")), "config", "check", path.name]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
