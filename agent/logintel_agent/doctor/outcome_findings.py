"""Findings out of the trial: which lines were lost or repeated, by what, and the fix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from logintel_agent.doctor.finding import Case, Finding
from logintel_agent.doctor.rule_findings import RELOAD
from logintel_agent.doctor.trial import Loss

#: By code: what happened to the lines, and the fix.
_EXPLAINED: Final[Mapping[str, tuple[str, str]]] = {
    "copytruncate_window": (
        "written between the copy and the truncation; no reader can close that window: they never were in the copy",
        f"in {{place}} replace `copytruncate` by\n    create\n{RELOAD}",
    ),
    "compressed_unread": (
        "they are in {where}, compressed before the agent had read them, and it does not read those",
        "add `delaycompress` to {place}: each file then stays as it is for one rotation",
    ),
    "olddir_unread": (
        "they are in {where}, and nothing in `paths` names the files in that directory",
        'add to `paths` of {source}:\n    - "{folder}/{name}*"',
    ),
    "file_unread": (
        "they are in {where}, which the source does not read",
        'add to `paths` of {source}:\n    - "{path}*"',
    ),
    "removed_unread": (
        "the rule removed {where} before the agent had read it (rotate {count})",
        "write `rotate {more}` or more in {place}",
    ),
    "not_reopened_lost": (
        "the writer kept a file open that the rule then removed, and wrote on into nothing",
        f"add to {{place}}:\n{RELOAD}\n    or, where the program cannot do that, `copytruncate`",
    ),
    "unexplained": ("last seen in {where}", "please report it, with the output of --json"),
}


def outcome_findings(case: Case) -> Iterator[Finding]:
    """One finding for each way in which lines were lost, the worst first, and one for repeats."""
    kinds: dict[str, list[Loss]] = {}
    for loss in case.outcome.losses:
        kinds.setdefault(_kind(case, loss), []).append(loss)
    for kind, losses in sorted(kinds.items(), key=lambda item: -_lines(item[1])):
        text, fix = (part.format(**_values(case, losses[0].where)) for part in _EXPLAINED[kind])
        yield Finding(kind, "loss", f"{_lines(losses)} lines lost{_when(losses)}: {text}", fix)
    if case.outcome.repeated:
        yield _repeats(case)


def _kind(case: Case, loss: Loss) -> str:
    """The code of the finding that explains a loss."""
    rule = case.rule
    if loss.step == "left":
        if rule and rule.compress and loss.where.endswith(rule.compressext):
            return "compressed_unread"
        return "olddir_unread" if os.path.dirname(loss.where) != os.path.dirname(case.path) else "file_unread"
    if loss.step == "nameless":
        return "not_reopened_lost"
    if loss.step == "truncate":
        return "copytruncate_window"
    return "removed_unread" if loss.step in ("remove", "make room", "rename") else "unexplained"


def _values(case: Case, where: str) -> dict[str, object]:
    rotate = case.rule.rotate if case.rule else 0
    place = f" ({case.reader.place})" if case.reader.place else ""
    return {
        "place": case.rule.place if case.rule else "the rule",
        "source": f"source {case.reader.config.name}{place}",
        "path": case.path,
        "name": os.path.basename(case.path),
        "where": where,
        "folder": os.path.dirname(where),
        "count": rotate,
        "more": max(7, 2 * rotate),
    }


def _lines(losses: Iterable[Loss]) -> int:
    return sum(loss.lines for loss in losses)


def _when(losses: Iterable[Loss]) -> str:
    moments = dict.fromkeys(loss.rotation for loss in losses if loss.rotation)
    return f" (rotation {'; '.join(moments)})" if moments else ""


def _repeats(case: Case) -> Finding:
    text = f"{case.outcome.repeated} lines delivered again under new ids"
    copies = [file for file in case.rotated if case.reader.reads(file)]
    if not (case.rule and case.rule.in_place and copies):
        return Finding("repeated", "loss", text, "please report it, with the output of --json")
    text += f": `paths` also names the copies ({copies[0]}); one that differs from what was read is read as a file"
    source = _values(case, "")["source"]
    fix = f'let {source} read the log alone; the agent looks at its copies by itself\n    paths: ["{case.path}"]'
    return Finding("repeated", "loss", text, fix)
