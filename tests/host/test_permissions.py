"""Files that this user may not read, among others that it may: root without the power to read everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from following import Following, following

NOBODY = 65534
POWERS = "-dac_override,-dac_read_search"
WITHOUT_POWERS = ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"]


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
        [*WITHOUT_POWERS, *run, f"{tmp_path}/*.log", closed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"{secret}: Permission denied" in done.stderr
    assert f"{closed}: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["events_indexed"] == 1


def test_a_file_and_a_directory_that_lose_their_permission_for_a_while(tmp_path: Path, bus: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    made = Following(tmp_path, bus, tmp_path / "data", folder / "app.log", wrapper=WITHOUT_POWERS)
    with following(made) as agent:
        agent.write(100)
        agent.all_arrive()

        # A new file comes that may not be read: said, and read once it may be.
        agent.log.rename(folder / "app.log.1")
        agent.write(100)
        belong_to_nobody(agent.log)
        agent.write(1)
        agent.says(f"{agent.log}: Permission denied")
        belong_to_us(agent.log)
        agent.all_arrive()

        # The directory is closed, over a restart even: what it holds is not taken for gone.
        belong_to_nobody(folder)
        agent.stop()
        agent.start()
        agent.says(f"{folder}: Permission denied")
        belong_to_us(folder)
        agent.write(100)
        agent.all_arrive()


def belong_to_nobody(path: Path) -> None:
    path.chmod(0o700)
    os.chown(path, NOBODY, NOBODY)


def belong_to_us(path: Path) -> None:
    os.chown(path, os.getuid(), os.getgid())
