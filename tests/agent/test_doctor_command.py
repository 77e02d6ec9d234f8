"""`logintel doctor`: what it finds out about a log, what it says is wrong, the fix, and the exit code."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
import pytest

from logintel.main import main
from logintel_agent.doctor.diagnosis import diagnose
from logintel_agent.doctor.holders import held_open
from logintel_agent.doctor.report import as_json

LOG = "/var/log/doctor-example/app.log"
RELOAD = "postrotate\n systemctl reload app\n endscript"
FINE = f"{LOG} {{\n weekly\n rotate 8\n compress\n delaycompress\n create\n {RELOAD}\n}}\n"

ZIPPED = "compress\ncompresscmd /usr/bin/touch\ncompressext .zip\n"
SCRIPTS = "".join(
    f"{kind}\n touch DIR/{kind}; kill -HUP 1\nendscript\n"
    for kind in ("firstaction", "prerotate", "postrotate", "lastaction", "preremove")
)


def weekly(*options: str) -> str:
    """A rule that tells the writer to reopen, with these options besides."""
    return "\n ".join([f"{LOG} {{", "weekly", "rotate 4", "create", *options, RELOAD]) + "\n}\n"


def source(paths: str, more: str = "", name: str = "shop") -> str:
    return f"  - {{name: {name}, type: application, paths: {paths}{more}}}\n"


class Host(NamedTuple):
    """A rule of logrotate, and the sources of the agent's configuration; None: it is called without one. DIR is the
    directory that they are in."""

    rules: str = FINE
    sources: str | None = None
    path: str = LOG


HOSTS: Mapping[str, Host] = {
    "fine": Host(FINE, source("[/var/log/doctor-example/*.log]")),
    "read twice": Host("", source("[/var/log/doctor-example/*]", name="one") + source("[/var/log/**]", name="two")),
    "excluded": Host("", source("[/var/log/doctor-example/*]", ", exclude: ['*/app*']")),
    "no source": Host(FINE, source("[/srv/*.log]")),
    "no sources": Host(FINE, ""),
    "nearly": Host(f"{LOG[:-4]}.txt {{\n}}\n"),
    "copytruncate": Host(f"{LOG} {{\n weekly\n rotate 4\n copytruncate\n}}\n"),
    "compress": Host(weekly("compress")),
    "zipped": Host(weekly(*ZIPPED.splitlines())),
    "olddir": Host(weekly("olddir old")),
    "olddir, mended": Host(weekly("olddir old"), source(f"[{LOG}, /var/log/doctor-example/old/app.log*]")),
    "rotate 0": Host(weekly("rotate 0")),
    "nocreate": Host(f"{LOG} {{\n daily\n rotate 2\n nocreate\n}}\n"),
    "unclear": Host(f"{LOG} {{\n weekly\n rotate 8\n create\n postrotate\n  /opt/app/tell\n endscript\n}}\n"),
    "habits": Host(
        f"/var/log/doctor-example/* {{\n hourly\n rotate 4\n maxsize 1M\n dateext\n shred\n create\n {RELOAD}\n}}\n"
        f"{LOG} {{\n}}\n"
    ),
    "closed": Host(FINE.replace("create", "create 0640 root adm"), source(f"[{LOG}]")),
    "scripts": Host(f"DIR/app.log {{\nweekly\nrotate 1\ncreate\n{ZIPPED}{SCRIPTS}}}\n", None, "DIR/app.log"),
    "skipped": Host(f"{LOG} {{\n weekly\n rotate many\n frobnicate\n}}\n"),
}


def examined(host: Host, directory: Path) -> dict[str, Any]:
    """What the command prints with --json, with RULES and CONFIG for where they are, and what is in DIR afterwards."""
    rules, config = directory / "rules", directory / "agent.yaml"
    directory.mkdir()
    (directory / "app.log").write_text("a line\n")
    rules.write_text(host.rules.replace("DIR", str(directory)))
    data = directory / "data"
    data.mkdir()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
    if host.sources is not None:
        config.write_text(f"agent: {{data_dir: {data}}}\nsources:\n{host.sources or '  []'}\n")
    path = host.path.replace("DIR", str(directory))
    found = diagnose(path, config if host.sources is not None else None, [str(rules)], 120)
    text = orjson.dumps(as_json(found)).replace(str(rules).encode(), b"RULES").replace(str(config).encode(), b"CONFIG")
    left = {file.name: file.read_text() for file in directory.iterdir() if file.is_file()}
    return {**orjson.loads(text), "left": left}


@pytest.fixture(scope="module")
def reports() -> Iterator[Mapping[str, dict[str, Any]]]:
    """Of every host. They are examined at the same time, since a trial mostly waits."""
    with TemporaryDirectory() as directory, ThreadPoolExecutor(len(HOSTS)) as threads:
        places = [Path(directory, str(place)) for place in range(len(HOSTS))]
        yield dict(zip(HOSTS, threads.map(examined, HOSTS.values(), places), strict=True))


def codes(report: dict[str, Any]) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in report["findings"]}


def told(report: dict[str, Any], code: str) -> str:
    (found,) = (each for each in report["findings"] if each["code"] == code)
    return f"{found['text']}\n{found['fix']}"


def test_a_rule_that_is_fine(reports: Mapping[str, dict[str, Any]]) -> None:
    report = reports["fine"]
    assert (report["fine"], report["findings"]) == (True, [])
    trial = report["trial"]
    assert trial["written"] == trial["delivered"] > 100
    assert (trial["repeated"], trial["lost"], trial["losses"], trial["rotations"]) == (0, 0, [], 4)
    pattern = "/var/log/doctor-example/*.log"
    expected = {"name": "shop", "type": "application", "place": "CONFIG:3", "configured": True, "pattern": pattern}
    assert report["source"] == expected
    rule = report["rule"]
    assert (rule["file"], rule["line"], rule["pattern"]) == ("RULES", 1, LOG)
    assert (rule["interval_seconds"], rule["kept_seconds"], rule["reopened_by"]) == (604800, 8 * 604800, "postrotate")
    assert rule["scripts"] == [{"kind": "postrotate", "line": 7, "text": " systemctl reload app"}]


@pytest.mark.parametrize(
    ("name", "fine", "expected"),
    [
        ("read twice", False, {"read_twice": "loss", "no_rule": "risk"}),
        ("excluded", False, {"excluded": "loss", "no_rule": "risk"}),
        ("no source", False, {"no_source": "loss"}),
        ("no sources", False, {"no_source": "loss"}),
        ("nearly", True, {"no_rule": "risk"}),
        ("copytruncate", False, {"copytruncate_window": "loss"}),
        ("compress", True, {"compressed_at_once": "note"}),
        ("zipped", False, {"compressed_unread": "loss", "compressed_at_once": "note"}),
        ("olddir", False, {"olddir_unread": "loss"}),
        ("olddir, mended", True, {}),
        ("rotate 0", False, {"removed_unread": "loss", "nothing_kept": "risk"}),
        ("nocreate", True, {"not_reopened": "risk", "nocreate": "risk", "kept_too_short": "risk"}),
        ("unclear", True, {"script_unclear": "risk"}),
        (
            "habits",
            True,
            {
                **dict.fromkeys(("duplicate_rule", "rotated_again", "same_name", "kept_too_short", "shred"), "risk"),
                "runs_daily": "note",
            },
        ),
        ("skipped", True, {"rule_skipped": "risk", "no_rule": "risk"}),
    ],
)
def test_the_verdict(name: str, fine: bool, expected: dict[str, str], reports: Mapping[str, dict[str, Any]]) -> None:
    assert (reports[name]["fine"], codes(reports[name])) == (fine, expected)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("read twice", "read_twice", "2 sources read it: one (CONFIG:3) and two (CONFIG:4)"),
        ("excluded", "excluded", 'source shop (CONFIG:3) leaves it out: its `exclude` has "*/app*"'),
        ("no source", "no_source", f'add to `paths` of source shop (CONFIG:3):\n    - "{LOG}"'),
        ("no sources", "no_source", f'- name: app\n      type: application\n      paths: ["{LOG}"]'),
        ("nearly", "no_rule", f"(RULES:1 names {LOG[:-4]}.txt, which does not match)"),
        ("copytruncate", "copytruncate_window", "no reader can close that window"),
        ("copytruncate", "copytruncate_window", "in RULES:1 replace `copytruncate` by\n    create\n    postrotate"),
        ("zipped", "compressed_unread", "add `delaycompress` to RULES:1"),
        ("olddir", "olddir_unread", 'add to `paths` of source app:\n    - "/var/log/doctor-example/old/app.log*"'),
        ("rotate 0", "removed_unread", "write `rotate 7` or more in RULES:1"),
        ("nocreate", "kept_too_short", "unread lines stay for 2 days only (rotate 2)"),
        ("unclear", "script_unclear", "It says:\n  /opt/app/tell"),
        ("habits", "rotated_again", "that is rotated again"),
        ("habits", "kept_too_short", "unread lines stay for 4 hours only (rotate 4)"),
        (
            "skipped",
            "rule_skipped",
            "logrotate skips RULES:1: line 3: rotate: expected a number from -1 on, got 'many'",
        ),
    ],
)
def test_what_is_said(name: str, code: str, said: str, reports: Mapping[str, dict[str, Any]]) -> None:
    assert said in told(reports[name], code)


def test_the_number_of_lost_lines_is_that_of_the_trial(reports: Mapping[str, dict[str, Any]]) -> None:
    report = reports["copytruncate"]
    assert told(report, "copytruncate_window").startswith(f"{report['trial']['lost']} lines lost (rotation while the")
    assert sum(loss["lines"] for loss in report["trial"]["losses"]) == report["trial"]["lost"]
    assert reports["no source"]["trial"]["lost"] == reports["nearly"]["trial"]["rotations"] == 0


def test_problems_of_the_configuration_are_named(reports: Mapping[str, dict[str, Any]]) -> None:
    problems = reports["skipped"]["logrotate"]["problems"]
    assert [(problem["file"], problem["line"], problem["key"]) for problem in problems] == [
        ("RULES", 3, "rotate"),
        ("RULES", 4, "frobnicate"),
    ]


def test_the_agents_user_must_be_able_to_read_the_new_log(reports: Mapping[str, dict[str, Any]]) -> None:
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    assert codes(reports["closed"]) == {"permission": "loss"}
    said = told(reports["closed"], "permission")
    assert f"the agent's user {user} cannot read it: RULES:1 makes the new log with `create 0640 root adm`" in said
    assert f"usermod -aG adm {user}" in said


def test_who_has_the_log_open(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    assert held_open(str(log)) is None
    with log.open("a"):
        assert held_open(str(log)) is True
    with log.open():
        assert held_open(str(log)) is not True


def test_nothing_of_the_rules_is_run_and_nothing_is_written(reports: Mapping[str, dict[str, Any]]) -> None:
    assert reports["scripts"]["trial"]["rotations"] == 4
    assert reports["scripts"]["left"].keys() == {"app.log", "rules"}
    assert reports["scripts"]["left"]["app.log"] == "a line\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/var/log"], "/var/log: is a directory: name one log file"),
        ([LOG, "--logrotate", "/nonexistent/rules"], "/nonexistent/rules: is not there"),
        ([LOG, "--config", "/nonexistent/agent.yaml"], "/nonexistent/agent.yaml"),
    ],
)
def test_usage_errors_say_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_report_for_a_person_needs_no_client_of_a_server_and_its_help_next_to_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text(FINE.replace("weekly", "weekly\n frobnicate").replace("rotate 8", "rotate 8\n copytruncate"))
    script = (
        "import sys; from logintel.main import _load, _parser; import importlib.metadata as m;"
        "p = next(p for p in m.entry_points(group='logintel.commands') if p.name == 'doctor');"
        "_parser('doctor', _load(p)).format_help(); light = set(sys.modules);"
        "from logintel.main import main; code = main(sys.argv[1:]); print(*light); print(*sys.modules); sys.exit(code)"
    )
    run = [sys.executable, "-c", script, "doctor", LOG, "--logrotate", str(rules)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    *text, light, whole = done.stdout.splitlines()
    assert {"asyncio", "pydantic", "yaml", "logintel_agent.doctor.trial"} & set(light.split()) == set()
    assert {"aiokafka", "asyncpg", "elasticsearch", "httpx"} & set(whole.split()) == set()
    flowing = " ".join(" ".join(text).split())
    assert f"rotated by {rules}:1: weekly; copied to app.log.1, then truncated in place (copytruncate); 8" in flowing
    assert "LOSS copytruncate_window: 15 lines lost" in flowing
    assert f"{rules}:3: frobnicate: is no directive" in flowing
    assert "postrotate (line 9) is never run here" in flowing
    assert text[-1] == "not fine: lines are lost or repeated; see LOSS above for what to change"
