"""The strategy in words: what a rule does with a log, for a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

from logintel_agent.doctor.rule import Rule
from logintel_agent.doctor.scripts import reopening


def words(rule: Rule, path: str) -> tuple[str, ...]:
    """One clause for each thing that the rule does, in the order in which it is done."""
    return tuple(_clauses(rule, path))


def span(time: timedelta | None) -> str:
    """A time as people say it: `28 days`, `6 hours`."""
    if time is None:
        return "ever"
    hours = int(time.total_seconds() // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} hours" if hours >= 2 else f"{int(time.total_seconds() // 60)} minutes"


def _clauses(rule: Rule, path: str) -> Iterator[str]:
    yield _when(rule)
    name = os.path.basename(path)
    to = f"{rule.folder(path)}/" if rule.olddir else ""
    suffix = (rule.dateformat or "-DATE") if rule.dateext else f".{rule.start}"
    if rule.copytruncate:
        yield f"copied to {to}{name}{suffix}, then truncated in place (copytruncate)"
    elif rule.in_place:
        yield f"copied to {to}{name}{suffix}; the log itself stays as it is (copy)"
    else:
        yield f"renamed to {to}{name}{suffix}{', by way of a copy (renamecopy)' if rule.renamecopy else ''}"
        yield "no new log is made (nocreate)" if rule.create is None else f"a new log is made ({_create(rule)})"
        script = reopening(rule)
        yield f"the writer reopens it ({script.kind})" if script else "nothing tells the writer to reopen it"
    yield _kept(rule)
    if rule.compress:
        when = "one rotation later" if rule.delaycompress else "at once"
        yield f"compressed {when} ({os.path.basename(rule.compresscmd)}, {rule.compressext})"
    if rule.shred:
        yield "overwritten before it is removed (shred)"


def _create(rule: Rule) -> str:
    return f"create {rule.create}".strip() + ("" if str(rule.create) else ", with the old one's owner and permissions")


def _when(rule: Rule) -> str:
    if rule.criterion == "size":
        return f"when it is larger than {rule.size} bytes"
    often = f"every {rule.minutes} minutes" if rule.criterion == "minutes" else rule.criterion
    larger = f", earlier above {rule.maxsize} bytes" if rule.maxsize else ""
    smaller = f", only above {rule.minsize} bytes" if rule.minsize else ""
    return often + larger + smaller


def _kept(rule: Rule) -> str:
    if rule.rotate == 0:
        return "none is kept (rotate 0)"
    number = "all are" if rule.rotate < 0 else "1 is" if rule.rotate == 1 else f"{rule.rotate} are"
    return f"{number} kept" + (f", none older than {rule.maxage} days" if rule.maxage else "")
