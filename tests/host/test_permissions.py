"""Files that this user may not read, among others that it may: root without the power to read everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NOBODY = 65534
POWERS = "-dac_override,-dac_read_search"


def test_an_unreadable_file_among_good_ones(tmp_path: Path) -> None:
    (tmp_path / "good.log").write_text("2026-11-22 10:00:00 INFO text\n")
    secret, closed = tmp_path / "secret.log", tmp_path / "closed"
    secret.write_text("2026-11-22 10:00:00 INFO secret\n")
    closed.mkdir()
    for path in (secret, closed):
        path.chmod(0o700)
        os.chown(path, NOBODY, NOBODY)
    run = [sys.executable, "-m", "logintel", "run", "--once", "--json", "--data", str(tmp_path / "data")]
    done = subprocess.run(
        ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}", *run, f"{tmp_path}/*.log", closed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"{secret}: Permission denied" in done.stderr
    assert f"{closed}: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["events_indexed"] == 1
