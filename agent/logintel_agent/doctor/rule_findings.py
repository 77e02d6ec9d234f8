"""Findings about the rule: what logrotate would not do, or not do in time, whatever the trial shows."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from logintel_agent.doctor.finding import Case, Finding
from logintel_agent.doctor.rule import Rule
from logintel_agent.doctor.scripts import reopening, unclear
from logintel_agent.doctor.strategy import span

#: An outage of the bus that a rule should outlast: a weekend.
OUTAGE: Final = timedelta(days=3)
RELOAD: Final = """    postrotate
        systemctl reload PROGRAM    # whatever makes it reopen its log
    endscript"""


def rule_findings(case: Case) -> Iterator[Finding]:
    """What is wrong with how the log is rotated."""
    yield from _choice(case)
    if case.rule is None:
        return
    yield from _refusals(case, case.rule)
    if not case.rule.in_place:
        yield from _writer(case, case.rule)
    yield from _names(case, case.rule)
    yield from _retention(case.rule)
    yield from _habits(case.rule)


def _choice(case: Case) -> Iterator[Finding]:
    """Which rule logrotate goes by."""
    named = case.configuration.of(case.path)
    for rule in named:
        if rule.error:
            yield Finding("rule_skipped", "risk", f"logrotate skips {rule.place}: {rule.error}", "mend that line")
    if case.rule is None:
        yield _no_rule(case)
        return
    for other in named:
        if other is not case.rule and not other.error and not case.rule.ignoreduplicates:
            text = f"{other.place} names it again: logrotate reports an error and goes by {case.rule.place}"
            yield Finding("duplicate_rule", "risk", text, f"take it out of one of the two, best out of {other.place}")


def _no_rule(case: Case) -> Finding:
    places = {pattern: rule.place for rule in case.configuration.rules for pattern in rule.patterns}
    near = difflib.get_close_matches(case.path, places, n=1, cutoff=0.75)
    close = f" ({places[near[0]]} names {near[0]}, which does not match)" if near else ""
    name = os.path.splitext(os.path.basename(case.path))[0]
    return Finding(
        "no_rule",
        "risk",
        f"no rule of logrotate names it{close}: it grows for ever, unless its program rotates it by itself",
        f"write /etc/logrotate.d/{name}:\n{case.path} {{\n    weekly\n    rotate 8\n    compress\n    delaycompress\n"
        f"    missingok\n    notifempty\n    create\n{RELOAD}\n}}",
    )


def _refusals(case: Case, rule: Rule) -> Iterator[Finding]:
    """What makes logrotate leave the log alone."""
    if os.path.islink(case.path):
        text = "it is a symbolic link: logrotate does not rotate those"
        real = os.path.realpath(case.path)
        yield Finding("symbolic_link", "risk", text, f"name the file itself in {rule.place}: {real}")
    folder, olddir = os.path.dirname(case.path), rule.folder(case.path)
    if not os.path.isdir(folder):
        return
    status = os.stat(folder)
    if rule.su is None and ((status.st_gid and status.st_mode & stat.S_IWGRP) or status.st_mode & stat.S_IWOTH):
        text = f"others than root may write to {folder}: logrotate, as root, skips its logs"
        yield Finding("insecure_directory", "risk", text, f"say who rotates, in {rule.place}:\n    su USER GROUP")
    if not os.path.isdir(olddir):
        if rule.createolddir is None:
            text = f"olddir {olddir} is not there: logrotate skips the block"
            yield Finding("olddir_missing", "risk", text, f"mkdir {olddir}, or add `createolddir` to {rule.place}")
    elif os.stat(olddir).st_dev != status.st_dev and not (rule.in_place or rule.renamecopy):
        text = f"olddir {olddir} is on another file system, where a log cannot be renamed to: logrotate skips the block"
        yield Finding("olddir_elsewhere", "risk", text, f"add `renamecopy` to {rule.place}")


def _writer(case: Case, rule: Rule) -> Iterator[Finding]:
    """Whether the writer goes on in the new log."""
    if reopening(rule):
        return
    if case.held is False:
        text = "no process has it open now: replayed as the log of a program that opens it for each write"
        yield Finding("opened_each_time", "note", text, "if its program is only stopped, start it and ask again")
        return
    if script := unclear(rule):
        text = f"its {script.kind} (line {script.line}) does not show that the writer reopens; replayed as if not"
        yield Finding(
            "script_unclear", "risk", text, f"see that it does; it is never run here. It says:\n{script.text}"
        )
    else:
        text = f"nothing in {rule.place} makes the writer reopen: it goes on in the renamed file until that is removed"
        fix = f"unless its program opens the log for each write, add there:\n{RELOAD}"
        yield Finding("not_reopened", "loss" if case.held else "risk", text, fix)
    if rule.create is None:
        text = "no new log is made (nocreate): behind the first rotation there is none, and nothing is rotated any more"
        yield Finding("nocreate", "risk", text, f"add `create` to {rule.place}")


def _names(case: Case, rule: Rule) -> Iterator[Finding]:
    again = next((file for file in case.rotated if rule.matches(file)), None)
    if again:
        text = f"{rule.place} also names what it has rotated ({again}): that is rotated again, and again"
        yield Finding("rotated_again", "risk", text, f"write a narrower pattern there, such as {case.path}")
    timed = any(f"%{letter}" in (rule.dateformat or "") for letter in "HMs")
    if rule.dateext and not timed and (rule.criterion in ("size", "minutes") or rule.maxsize):
        text = "with dateext a name says the day alone: a second rotation on one day is skipped"
        yield Finding("same_name", "risk", text, f"add to {rule.place}:\n    dateformat -%Y%m%d-%s")


def _retention(rule: Rule) -> Iterator[Finding]:
    if rule.rotate == 0:
        text = "nothing is kept (rotate 0): what is not read at the moment of the rotation is gone"
        yield Finding("nothing_kept", "risk", text, f"write `rotate 7` or more in {rule.place}")
    elif rule.criterion == "size":
        text = f"kept are {rule.rotate} files of about {rule.size} bytes: how long an outage that is depends on the log"
        if rule.rotate > 0:
            yield Finding("kept_by_size", "note", text, "see that this outlasts an outage of the bus")
    elif rule.kept is not None and rule.kept < OUTAGE:
        why = f"maxage {rule.maxage}" if rule.maxage * timedelta(days=1) == rule.kept else f"rotate {rule.rotate}"
        text = f"unread lines stay for {span(rule.kept)} only ({why}): a longer outage of the bus loses some"
        yield Finding("kept_too_short", "risk", text, f"raise it in {rule.place} until it outlasts {span(OUTAGE)}")


def _habits(rule: Rule) -> Iterator[Finding]:
    if rule.criterion in ("hourly", "minutes"):
        text = f"{rule.criterion} holds only where logrotate itself runs as often; packages run it once a day"
        yield Finding("runs_daily", "note", text, "look at `systemctl cat logrotate.timer` or /etc/cron.hourly")
    if rule.shred:
        text = "shred overwrites a removed file for those too who have it open: an agent that lags reads noise"
        yield Finding("shred", "risk", text, f"take `shred` out of {rule.place}")
    if rule.compress and not rule.delaycompress and not rule.in_place:
        text = "compressed at once: what a writer that reopens late writes to the old file is lost to every reader"
        yield Finding("compressed_at_once", "note", text, f"add `delaycompress` to {rule.place}")
