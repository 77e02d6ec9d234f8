"""Our rotation against the real logrotate: the same rule, rotation by rotation, leaves the same files with the same lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from logintel_agent.doctor.compression import inflated
from logintel_agent.doctor.logrotate import read
from logintel_agent.doctor.rotation import Rotation

LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/usr/bin") or "logrotate"
ROTATIONS = 5

RULES = [
    "rotate 3\ncreate",
    "rotate 3\nnocreate",
    "rotate 0\ncreate",
    "rotate 1\ncreate 0600 root root",
    "rotate -1\ncreate",
    "rotate 3\nstart 0\ncreate",
    "rotate 2\nstart 7\ncreate",
    "rotate 3\ncopytruncate",
    "rotate 0\ncopytruncate",
    "rotate 2\ncopy",
    "rotate 2\nrenamecopy\ncreate",
    "rotate 2\nrenamecopy\ncreate\ncompress",
    "rotate 3\ncreate\ncompress",
    "rotate 3\ncreate\ncompress\ndelaycompress",
    "rotate 0\ncreate\ncompress",
    "rotate 0\ncreate\ncompress\ndelaycompress",
    "rotate 3\ncopytruncate\ncompress\ndelaycompress",
    "rotate 3\ncreate\ncompress\ncompresscmd /bin/bzip2",
    "rotate 3\ncreate\ncompress\ncompressext .zipped",
    "rotate 3\ncreate\nolddir old",
    "rotate 2\ncopytruncate\nolddir old\ncompress",
    "rotate 3\ncreate\nextension .log",
    "rotate 3\ncreate\nextension .log\ncompress",
    "rotate 3\ncreate\naddextension .old",
    "rotate 3\ncreate\naddextension .log",
    "rotate 3\ncreate\ndateext",
    "rotate 3\ncreate\ndateext\ncompress",
    "rotate 3\ncreate\ndateext\ndateformat .%Y-%m-%d\nextension .log",
    "rotate 3\ncreate\ndateext\ndateyesterday",
    "rotate 2\ncreate\ndateext\ndateformat -%s",
    "rotate 2\ncreate\ndateext\ndateformat -%s\ncompress\ndelaycompress",
    "rotate 1\ncopytruncate\ndateext\ndateformat -%s\ncompress",
    "rotate 0\ncreate\ndateext",
    "rotate 3\nhourly\ncreate\ndateext\ndatehourago",
    "rotate 3\ncreate\nshred\ncompress",
    "rotate 3\ncreate\nnotifempty\nmissingok",
]


class Side:
    """A directory with a log, a rule for it, and who rotates it."""

    def __init__(self, directory: Path, rule: str) -> None:
        directory.mkdir(mode=0o755)
        (directory / "old").mkdir()
        self.directory, self.log, self.file = directory, directory / "app.log", directory.with_suffix(".rule")
        self.file.write_text(f"{self.log} {{\n{rule}\n}}\n")
        self.file.chmod(0o600)

    def write(self, line: str) -> None:
        """As a program that opens the log for each line; an empty line is none."""
        if line:
            with self.log.open("a") as file:
                file.write(f"{line}\n")

    def files(self) -> dict[str, str]:
        found = sorted(path for path in self.directory.rglob("*") if path.is_file())
        return {str(path.relative_to(self.directory)): inflated(path.read_bytes()).decode() for path in found}


def forced(side: Side) -> None:
    """One rotation by the real one, with a state file of its own."""
    state = side.directory.with_suffix(".state")
    subprocess.run([LOGROTATE, "-f", "-s", state, side.file], capture_output=True, check=False)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.replace("\n", ", "))
def test_the_same_files_result(rule: str, tmp_path: Path) -> None:
    real, ours = Side(tmp_path / "real", rule), Side(tmp_path / "ours", rule)
    found = read([str(ours.file)])
    assert found.problems == []
    rotation = Rotation(found.rules[0], ours.log, ours.directory)
    for number in range(ROTATIONS):
        line = "" if number == 2 else f"line {number} " + "x" * 100
        real.write(line)
        ours.write(line)
        if "%s" in rule:  # names by the second: one of our own for each rotation, at the start of it
            time.sleep(1.01 - time.time() % 1)
        now = datetime.now().astimezone()
        forced(real)
        list(rotation.steps(now))
        assert ours.files() == real.files(), f"rotation {number}"


def test_both_read_the_hosts_own_configuration() -> None:
    """logrotate -d names every pattern that it considers; so do we, without a problem."""
    done = subprocess.run([LOGROTATE, "-d", "/etc/logrotate.conf"], capture_output=True, text=True, check=False)
    known = [line.split("pattern: ")[1] for line in done.stderr.splitlines() if line.startswith("rotating pattern: ")]
    found = read(["/etc/logrotate.conf"])
    assert found.problems == []
    assert len(known) == len(found.rules) > 0
    for said, rule in zip(known, found.rules, strict=True):
        assert said.startswith(" ".join(rule.patterns)[:20].split(" ")[0])
    assert os.path.exists("/etc/logrotate.conf")
