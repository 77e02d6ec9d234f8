"""The ledger over a whole installation in one process: killed in mid-flow, it says what is stored, and why the rest is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import yaml

COMMAND = [sys.executable, "-m", "logintel"]
#: So many that they take longer than the pause between two saves of the checkpoint.
LINES = 40_000


def acknowledged(checkpoint: Path) -> int:
    text = checkpoint.read_text() if checkpoint.exists() else ""
    return max(map(int, re.findall(r'"acknowledged":(\d+)', text)), default=0)


def test_killed_in_mid_flow_it_adds_up_to_what_is_stored(tmp_path: Path) -> None:
    """Peers' wish 2: read = acknowledged + dropped by reason, and a kill changes nothing of it."""
    log = tmp_path / "app.log"
    levels = ["INFO", "DEBUG", "INFO", "WARN"]
    log.write_text("".join(f"2026-11-22 10:00:00 {levels[n % 4]} request {n}\n" for n in range(LINES)))
    process = {
        "filter": [{"name": "debug", "drop": {"level": "DEBUG"}}],
        "sample": [{"name": "tenth", "of": 10, "where": {"level": "INFO"}}],
    }
    source = {"name": "shop", "type": "application", "paths": [str(log)], "process": process}
    config = tmp_path / "logintel.yaml"
    config.write_text(yaml.safe_dump({"sources": [source]}))
    place = ["--config", str(config), "--data", str(tmp_path / "data")]
    checkpoint = tmp_path / "data" / "agent" / "worker-0" / "checkpoint"
    running = subprocess.Popen([*COMMAND, "run", "--once", *place], stdout=subprocess.DEVNULL)
    while not acknowledged(checkpoint):
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.wait()
    last = subprocess.run([*COMMAND, "run", "--once", "--json", *place], check=True, capture_output=True)
    stored = json.loads(last.stdout.splitlines()[-1])
    assert stored["events_read"] > 0, "no kill came in mid-flow"
    done = subprocess.run([*COMMAND, "ledger", "--json", *place], check=True, capture_output=True)
    ledger = json.loads(done.stdout)
    assert ledger["adds_up"]
    total = ledger["total"]
    assert (total["read"], total["waiting"]) == (LINES, 0)
    assert total["acknowledged"] == stored["total_indexed"]
    assert total["dropped"]["filter:debug"] == LINES // 4
    assert total["dropped"]["sample:tenth"] == LINES - LINES // 4 - stored["total_indexed"]
