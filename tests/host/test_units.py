"""The units as systemd sees them: no key that it does not know, and little that they may do to the host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The most exposure that systemd-analyze may find, from 0 to 10.
UNITS = {
    "agent/logintel-agent.service": 3.0,
    "collector/logintel-collector.service": 2.0,
    "packaging/backup/logintel-postgres-backup.service": 2.0,
}


@pytest.mark.parametrize("unit", UNITS)
def test_it_is_exposed_no_more_than_it_has_to_be(unit: str) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= UNITS[unit]


@pytest.mark.parametrize("unit", [*UNITS, "packaging/backup/logintel-postgres-backup.timer"])
def test_systemd_knows_every_key(unit: str) -> None:
    words = ["systemd-analyze", "verify", unit]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if Path(unit).name in line and "is not executable" not in line]
    assert told == []
