"""The trial of each strategy with this agent: which lines arrive, which are lost and by what.

Answers peers' complaints 1 (rotation loses lines), 3 (repeats after rotation) and 5 (what is compressed is read again).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from logintel.hooks import load_plugins
from logintel.inputs.files import FileInputConfig
from logintel.refused import Refused
from logintel_agent.doctor.logrotate import read
from logintel_agent.doctor.rotation import Rotation
from logintel_agent.doctor.scratch import Scratch
from logintel_agent.doctor.trial import BETWEEN, BURST, Loss, Outcome, Trial

LOG = "/var/log/app/app.log"
RELOAD = "\npostrotate\nsystemctl reload app\nendscript"
MONDAY = datetime(2026, 1, 5, 0, 5, tzinfo=UTC)


class Strategy(NamedTuple):
    """A rule, and the settings of the source that reads the log."""

    rule: str
    paths: tuple[str, ...] = (LOG,)
    exclude: tuple[str, ...] = ()
    encoding: str | None = None
    record_start: str | None = None
    each_time: bool = False


STRATEGIES: Mapping[str, Strategy] = {
    "create": Strategy(f"rotate 4\ndaily\ncreate{RELOAD}"),
    "create, glob": Strategy(f"rotate 4\ndaily\ncreate{RELOAD}", ("/var/log/app/*.log*",)),
    "create, directory of tmp": Strategy(f"rotate 4\ndaily\ncreate{RELOAD}", exclude=("*/tmp/*", "*logintel*", "*.gz")),
    "nocreate": Strategy(f"rotate 4\ndaily\nnocreate{RELOAD}"),
    "nocreate, not told": Strategy("rotate 4\ndaily\nnocreate"),
    "not told": Strategy("rotate 1\ndaily\ncreate"),
    "opened each time": Strategy("rotate 1\ndaily\nnotifempty\ncreate", each_time=True),
    "copytruncate": Strategy("rotate 4\ndaily\ncopytruncate"),
    "copytruncate, glob": Strategy("rotate 4\ndaily\ncopytruncate", (f"{LOG}*",)),
    "copy": Strategy("rotate 2\ndaily\ncopy"),
    "renamecopy": Strategy(f"rotate 4\ndaily\nrenamecopy\ncreate{RELOAD}"),
    "dateext": Strategy(f"rotate 4\ndaily\ncreate\ndateext{RELOAD}"),
    "dateext, extension": Strategy(f"rotate 2\nweekly\ncreate\ndateext\nextension .log{RELOAD}"),
    "compress": Strategy(f"rotate 4\ndaily\ncreate\ncompress{RELOAD}"),
    "compress, opaque": Strategy(f"rotate 4\ndaily\ncreate\ncompress\ncompresscmd /usr/bin/zstd{RELOAD}"),
    "delaycompress": Strategy(f"rotate 4\ndaily\ncreate\ncompress\ndelaycompress{RELOAD}"),
    "olddir": Strategy(f"rotate 4\ndaily\ncreate\nolddir old{RELOAD}"),
    "olddir, absolute": Strategy(f"rotate 4\ndaily\ncreate\nolddir /srv/old{RELOAD}"),
    "olddir, in paths": Strategy(f"rotate 4\ndaily\ncreate\nolddir /srv/old{RELOAD}", (LOG, "/srv/old/app.log*")),
    "rotate 0": Strategy(f"rotate 0\ndaily\ncreate{RELOAD}"),
    "utf-16": Strategy(f"rotate 4\ndaily\ncreate{RELOAD}", encoding="utf-16"),
    "record_start": Strategy(f"rotate 4\ndaily\ncreate{RELOAD}", record_start="never"),
}


def trial_of(strategy: Strategy, directory: Path) -> Trial:
    file = directory / "rules"
    file.write_text(f"{LOG} {{\n{strategy.rule}\n}}\n")
    found = read([str(file)])
    assert found.problems == []
    config = FileInputConfig(
        name="app", type="application", paths=strategy.paths, exclude=strategy.exclude,
        encoding=strategy.encoding, record_start=strategy.record_start,
    )  # fmt: skip
    scratch = Scratch(directory / "scratch")
    return Trial(LOG, found.rules[0], config, load_plugins().formats, scratch, strategy.each_time)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Mapping[str, Outcome]]:
    """Every strategy's outcome. They are tried at the same time, since a trial mostly waits."""

    async def all_of_them(directory: Path) -> list[Outcome]:
        tried = []
        for place, strategy in enumerate(STRATEGIES.values()):
            own = directory / str(place)
            own.mkdir()
            tried.append(trial_of(strategy, own).run(MONDAY, 120))
        return await asyncio.gather(*tried)

    with TemporaryDirectory() as directory:
        yield dict(zip(STRATEGIES, asyncio.run(all_of_them(Path(directory))), strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "create", "create, glob", "create, directory of tmp", "nocreate", "nocreate, not told", "opened each time", "copy",
        "renamecopy", "dateext", "dateext, extension", "compress", "delaycompress", "olddir, in paths", "utf-16",
        "record_start",
    ],
)  # fmt: skip
def test_nothing_is_lost_or_repeated(name: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[name]
    assert (outcome.lost, outcome.repeated, outcome.losses) == (0, 0, ())
    assert outcome.delivered > 4 * BURST


def test_rotations_leave_the_files_that_the_rule_says(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes["create"].files == (LOG, *(f"{LOG}.{n}" for n in (1, 2, 3, 4)))
    assert outcomes["dateext"].files == (LOG, *(f"{LOG}-2026010{n}" for n in (5, 6, 7, 8)))
    assert outcomes["dateext, extension"].files == (
        "/var/log/app/app-20260119.log",
        "/var/log/app/app-20260126.log",
        LOG,
    )
    assert outcomes["delaycompress"].files == (LOG, f"{LOG}.1", *(f"{LOG}.{n}.gz" for n in (2, 3, 4)))
    assert outcomes["nocreate, not told"].files == (f"{LOG}.1",)
    assert outcomes["olddir, absolute"].files == (*(f"/srv/old/app.log.{n}" for n in (1, 2, 3, 4)), LOG)


def test_copytruncate_loses_what_is_written_in_its_window(outcomes: Mapping[str, Outcome]) -> None:
    moments = ("while the agent runs", "while the agent is stopped", "after the agent was killed")
    assert outcomes["copytruncate"].losses == tuple(Loss("truncate", LOG, moment, BETWEEN) for moment in moments)
    assert outcomes["copytruncate"].repeated == 0


def test_copies_that_paths_name_too_are_read_again(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes["copytruncate, glob"].repeated > 0


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("compress, opaque", "/var/log/app/app.log.{}.zst"),
        ("olddir", "/var/log/app/old/app.log.{}"),
        ("olddir, absolute", "/srv/old/app.log.{}"),
    ],
)
def test_what_the_agent_had_not_read_is_left_where_it_does_not_look(
    name: str, where: str, outcomes: Mapping[str, Outcome]
) -> None:
    losses = outcomes[name].losses
    assert {(loss.step, loss.where) for loss in losses} == {("left", where.format(n)) for n in (1, 2)}
    assert all(loss.lines >= BURST for loss in losses)


def test_what_a_rule_removes_at_once_is_lost_to_a_stopped_agent(outcomes: Mapping[str, Outcome]) -> None:
    losses = outcomes["rotate 0"].losses
    assert [(loss.step, loss.where, loss.rotation) for loss in losses] == [
        ("remove", f"{LOG}.1", "while the agent is stopped"),
        ("remove", f"{LOG}.1", "after the agent was killed"),
    ]


def test_a_writer_that_is_not_told_writes_on_into_a_removed_file(outcomes: Mapping[str, Outcome]) -> None:
    (loss,) = outcomes["not told"].losses
    assert (loss.step, loss.where) == ("nameless", "")
    assert loss.lines > BURST


def test_nothing_is_written_outside_of_the_scratch_directory(tmp_path: Path) -> None:
    for escape in ("dateext\ndateformat -/../../../../../../../../../../x", "addextension /../../../../../../../../y"):
        trial = trial_of(Strategy(f"rotate 4\ndaily\ncreate\n{escape}{RELOAD}"), tmp_path)
        assert trial.rule
        log = trial.scratch.inside(LOG)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("line\n")
        with pytest.raises(Refused, match="out of the scratch directory"):
            list(Rotation(trial.rule, log, trial.scratch.root).steps(MONDAY))
    assert trial.scratch.inside("/var/log/../../../../etc") == trial.scratch.root / "etc"


def test_a_trial_ends_in_time(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(trial_of(STRATEGIES["create"], tmp_path).run(MONDAY, 0.05))
