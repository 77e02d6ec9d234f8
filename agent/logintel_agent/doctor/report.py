"""The report: a diagnosis for a person at a terminal, or whole as JSON."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from logintel_agent.doctor.diagnosis import Diagnosis
from logintel_agent.doctor.finding import Case, Finding
from logintel_agent.doctor.rule import Rule, Script
from logintel_agent.doctor.scripts import reopening
from logintel_agent.doctor.strategy import span, words
from logintel_agent.doctor.trial import ROTATIONS, Loss, Outcome

_WIDTH = 100
_STEPS = {
    "truncate": "between the copy and the truncation: no reader can see them",
    "nameless": "written on into a file that was removed",
    "remove": "removed with {where}",
    "make room": "removed with {where}",
    "left": "unread in {where}",
}


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything that is known, as plain values. Times in seconds."""
    case = diagnosis.case
    outcome = case.outcome
    return {
        "path": case.path,
        "exists": os.path.exists(case.path),
        "source": {
            "name": case.reader.config.name,
            "type": case.reader.config.type,
            "place": case.reader.place or None,
            "pattern": case.reader.pattern,
            "configured": bool(case.reader.place),
        },
        "rule": _rule(case.rule, case.path),
        "logrotate": {
            "files": case.configuration.files,
            "problems": [problem._asdict() for problem in case.configuration.problems],
        },
        "trial": asdict(outcome) | {"lost": outcome.lost, "losses": [loss._asdict() for loss in outcome.losses]},
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "fine": diagnosis.fine,
    }


def _rule(rule: Rule | None, path: str) -> dict[str, Any] | None:
    if rule is None:
        return None
    script = reopening(rule)
    return {
        "file": rule.file,
        "line": rule.line,
        "pattern": rule.matches(path),
        "strategy": list(words(rule, path)),
        "interval_seconds": rule.interval.total_seconds(),
        "kept_seconds": rule.kept.total_seconds() if rule.kept is not None else None,
        "reopened_by": script.kind if script else None,
        "scripts": [asdict(script) for script in rule.scripts],
    }


def as_text(diagnosis: Diagnosis) -> str:
    """For a person, at most 100 columns wide but for paths and what must be copied."""
    case = diagnosis.case
    lines = [case.path + ("" if os.path.exists(case.path) else " (not there yet)"), ""]
    lines += _labelled("read by", _reading(case))
    lines += _labelled(
        "rotated by", f"{case.rule.place}: " + "; ".join(words(case.rule, case.path)) if case.rule else "nothing"
    )
    for script in case.rule.scripts if case.rule else ():
        lines += _labelled("script", _treated(case, script))
    if case.rule:
        lines += _labelled("kept for", span(case.rule.kept))
    lines += ["", *_numbers(case.outcome)]
    for finding in diagnosis.findings:
        lines += ["", *_told(finding)]
    if case.configuration.problems:
        lines += ["", "logrotate's configuration has problems of its own:"]
        lines += [f"  {problem}" for problem in case.configuration.problems]
    return "\n".join([*lines, "", _verdict(diagnosis), ""])


def _verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.fine:
        return "not fine: lines are lost or repeated; see LOSS above for what to change"
    risks = sum(finding.severity == "risk" for finding in diagnosis.findings)
    return "fine: nothing was lost, nothing repeated" + (f"; but see RISK above ({risks})" if risks else "")


def _labelled(label: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, _WIDTH - 12, break_long_words=False, break_on_hyphens=False)
    return [f"{label if place == 0 else '':<12}{line}" for place, line in enumerate(wrapped)]


def _reading(case: Case) -> str:
    reader = case.reader
    if reader.place:
        return f'source {reader.config.name} ({reader.place}), paths "{reader.pattern}"'
    if case.settings.sources or any(finding.excluded for finding in case.settings.readers):
        return "no source; replayed with the defaults of source type application"
    return "the defaults of source type application (--config shows the agent's own sources)"


def _treated(case: Case, script: Script) -> str:
    does = "the writer reopens its log" if case.rule and script == reopening(case.rule) else "nothing"
    return f"{script.kind} (line {script.line}) is never run here; in the trial it does: {does}"


def _numbers(outcome: Outcome) -> Iterator[str]:
    done = "; ".join(ROTATIONS[: outcome.rotations]) or "none"
    yield from _labelled("trial", f"rotations: {done}; {outcome.seconds:.1f} s")
    width = len(str(outcome.written))
    yield f"  written    {outcome.written:{width}}"
    yield f"  delivered  {outcome.delivered:{width}}"
    again = (
        f"  (and {outcome.resent} sent again under the same ids, which the collector drops)" if outcome.resent else ""
    )
    yield f"  repeated   {outcome.repeated:{width}}{again}"
    yield f"  lost       {outcome.lost:{width}}"
    for loss in outcome.losses:
        yield f"    {loss.lines:{width}} {_step(loss)}"


def _step(loss: Loss) -> str:
    text = _STEPS.get(loss.step, f"gone with the step `{loss.step}`, last in {{where}}").format(where=loss.where)
    return f"{text} ({loss.rotation})" if loss.rotation else text


def _told(finding: Finding) -> Iterator[str]:
    head = f"{finding.severity.upper()} {finding.code}: {finding.text}"
    yield from textwrap.wrap(head, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    first, *more = finding.fix.splitlines()
    yield f"  fix: {first}"
    yield from (f"  {line}" for line in more)
