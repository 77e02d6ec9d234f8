"""A clock that jumps back and forth under a following agent: lines arrive, once, in order."""

from __future__ import annotations

import os
from pathlib import Path

from following import Following, following

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def test_a_clock_that_jumps_years_holds_nothing_up(tmp_path: Path, bus: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    made = Following(tmp_path, bus, tmp_path / "data", tmp_path / "app.log", environment=environment)
    with following(made) as agent:
        for jump in ("+0", "+800d", "-800d", "+3h", "-1d", "+0"):
            clock.write_text(jump)
            agent.write(100)
            agent.all_arrive()
        assert agent.stop() == 0
