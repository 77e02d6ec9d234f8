"""The diagnosis: which source and which rule a log has, the trial of the two together, and what is wrong."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from logintel.config.problem import Misconfigured, Problem
from logintel.formats import FormatRegistry
from logintel.hooks import load_plugins
from logintel.refused import Refused
from logintel_agent.doctor.finding import Case, Finding
from logintel_agent.doctor.holders import held_open
from logintel_agent.doctor.logrotate import DEFAULT, Configuration, read
from logintel_agent.doctor.outcome_findings import outcome_findings
from logintel_agent.doctor.reader import Reader, by_default, settings
from logintel_agent.doctor.reader_findings import reader_findings
from logintel_agent.doctor.rule import Rule
from logintel_agent.doctor.rule_findings import rule_findings
from logintel_agent.doctor.scratch import Scratch
from logintel_agent.doctor.scripts import reopening
from logintel_agent.doctor.trial import Outcome, Trial

_SEVERITIES = ("loss", "risk", "note")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A case and its findings, the worst first."""

    case: Case
    findings: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing would be lost or repeated."""
        return all(finding.severity != "loss" for finding in self.findings)


def diagnose(path: str, config: Path | None, logrotate: Sequence[str], seconds: float) -> Diagnosis:
    """Examine the log at `path`. `logrotate`: its configuration files; the host's without any. Raises Misconfigured
    when a file cannot be used, Refused when the trial cannot be held or takes longer than `seconds`."""
    path = os.path.abspath(path)
    if os.path.isdir(path):
        raise Misconfigured([Problem(path, 0, "", "is a directory: name one log file")])
    configuration = _configuration(logrotate)
    found = settings(config, path)
    reader = next((reader for reader in found.readers if not reader.excluded), None) or by_default(path)
    rule = next((rule for rule in configuration.of(path) if not rule.error), None)
    held = held_open(path) if rule and not rule.in_place and not reopening(rule) else None
    outcome = _tried(path, rule, reader, seconds, each_time=held is False)
    case = Case(path, found, reader, configuration, rule, held, outcome)
    findings = [*reader_findings(case), *outcome_findings(case), *rule_findings(case)]
    return Diagnosis(case, tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))))


def _configuration(files: Sequence[str]) -> Configuration:
    for file in files:
        if not os.path.exists(file):
            raise Misconfigured([Problem(file, 0, "", "is not there: name a file that logrotate reads")])
    return read(files or [file for file in [DEFAULT] if os.path.exists(file)])


def _tried(path: str, rule: Rule | None, reader: Reader, seconds: float, *, each_time: bool) -> Outcome:
    formats: FormatRegistry = load_plugins().formats
    try:
        with tempfile.TemporaryDirectory(prefix="logintel-doctor-") as directory:
            scratch = Scratch(Path(directory).resolve())
            trial = Trial(path, rule, reader.config, formats, scratch, each_time)
            return asyncio.run(trial.run(datetime.now().astimezone(), seconds))
    except TimeoutError:
        raise Refused(f"the trial did not end within {seconds:g} s: allow it more with --seconds") from None
