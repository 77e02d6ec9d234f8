"""The units: what they run are commands of ours that exist, and what they promise systemd is what the process does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from logintel.main import main

ROOT = Path(__file__).parents[1]
UNITS = {name: ROOT / name / f"logintel-{name}.service" for name in ("agent", "collector")}
#: Seconds that each needs to stop by itself: STOP_DEADLINE of its runner.
STOPPING = {"agent": 10, "collector": 20}


def settings(path: Path) -> dict[str, list[str]]:
    """Key → values, in order; systemd.syntax(7) in as far as the units use it."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_each_command_is_one_of_ours(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = settings(UNITS[name])
    for line in [*unit["ExecStartPre"], *unit["ExecReload"]]:
        words = shlex.split(line)
        if words[0] == "/bin/kill":
            assert words[1:] == ["-HUP", "$MAINPID"]
            continue
        assert words == ["/opt/logintel/bin/logintel", "config", "check", f"/etc/logintel/{name}.yaml"]
    (start,) = unit["ExecStart"]
    assert shlex.split(start) == ["/opt/logintel/bin/logintel", name, "run", "--config", f"/etc/logintel/{name}.yaml"]
    with pytest.raises(SystemExit) as ended:
        main([name, "run", "--help"] if name == "collector" else [name, "--help"])
    assert ended.value.code == 0
    assert "--config" in capsys.readouterr().out


@pytest.mark.parametrize("name", UNITS)
def test_systemd_waits_as_long_as_a_clean_stop_takes_and_restarts_what_a_start_can_mend(name: str) -> None:
    unit = settings(UNITS[name])
    assert int(unit["TimeoutStopSec"][0]) >= 2 * STOPPING[name]
    assert int(unit["WatchdogSec"][0]) > 120
    assert unit["Type"] == ["notify"]
    assert unit["RestartPreventExitStatus"] == ["2"]
