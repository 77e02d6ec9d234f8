"""The finding: one thing that is wrong, and what to do; and the case that findings are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from logintel_agent.doctor.logrotate import Configuration
from logintel_agent.doctor.reader import Reader, Settings
from logintel_agent.doctor.rule import Rule
from logintel_agent.doctor.trial import Outcome


@dataclass(frozen=True, slots=True)
class Finding:
    """`loss`: lines are lost or repeated. `risk`: they may be, or the rule does not do what it says. `note`: good to
    know. `code` names the kind of finding; `fix` says what to do and may have several lines."""

    code: str
    severity: Literal["loss", "risk", "note"]
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class Case:
    """One log and all that is known about it.

    path     absolute
    reader   how it is read, or would be if the source were there
    rule     the one that logrotate goes by; None: there is none
    held     whether a process has the log open for writing; None: not known
    """

    path: str
    settings: Settings
    reader: Reader
    configuration: Configuration
    rule: Rule | None
    held: bool | None
    outcome: Outcome

    @property
    def rotated(self) -> tuple[str, ...]:
        """The host's names of what the rotation made in the trial."""
        return tuple(file for file in self.outcome.files if file != self.path)
