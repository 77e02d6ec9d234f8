"""Every input of the corpus through `logintel run --once`: no crash, nothing lost between reading and finding.

Run by `make corpus`, which says in CORPUS where the corpus is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "logintel"]
CORPUS = Path(os.environ["CORPUS"])


def inputs() -> dict[str, list[Path]]:
    families: dict[str, list[Path]] = defaultdict(list)
    for line in (CORPUS / "manifest.jsonl").read_text().splitlines():
        case = json.loads(line)
        families[case["family"]].append(CORPUS / case["family"] / case["case"] / case["input"])
    return families


@pytest.mark.parametrize(
    ("family", "files"), inputs().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_run_once(tmp_path: Path, family: str, files: list[Path]) -> None:
    run = [*COMMAND, "run", "--once", "--json", "--data", str(tmp_path)]
    done = subprocess.run([*run, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["events_indexed"] == summary["total_indexed"] == summary["events_read"] >= len(files)
    count = subprocess.run(
        [*COMMAND, "search", "*", "--count", "--data", str(tmp_path)], capture_output=True, check=True
    )
    assert int(count.stdout) == summary["total_indexed"], family
