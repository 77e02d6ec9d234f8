"""The devstack as an ordinary user: the servers run as that user, and nothing needs root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

USER = 65534
COMMAND = [sys.executable, "-m", "logintel", "devstack"]
# The checkout and the downloads of whoever runs the tests may lie where others may not look.
AS_USER = [
    "setpriv",
    "--securebits=+no_setuid_fixup",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--inh-caps=-all,+dac_override",
]


def test_an_ordinary_user_brings_all_servers_up_and_down(tmp_path: Path) -> None:
    os.chown(tmp_path, USER, USER)
    command = [*AS_USER, "--ambient-caps=-all,+dac_override", *COMMAND]
    at = ["--dir", str(tmp_path / "stack"), "--json"]
    up = subprocess.run([*command, "up", *at], check=False, capture_output=True, text=True)
    try:
        assert list(json.loads(up.stdout)) == ["kafka", "elasticsearch", "postgres"], up.stderr
        for name in ("kafka", "elasticsearch", "postgres"):
            pid = json.loads((tmp_path / "stack" / name / "state.json").read_bytes())["pid"]
            assert f"Uid:\t{USER}\t{USER}" in Path(f"/proc/{pid}/status").read_text("ascii")
    finally:
        down = subprocess.run([*command, "down", *at], check=False, capture_output=True, text=True)
    assert list(json.loads(down.stdout)) == ["kafka", "elasticsearch", "postgres"], down.stderr
