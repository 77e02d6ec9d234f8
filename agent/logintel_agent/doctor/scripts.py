"""Scripts: what a rule's script does to the writer, told from its text. No script is ever run."""

from __future__ import annotations

import re
from typing import Final

from logintel_agent.doctor.rule import Rule, Script

#: What makes programs reopen their logs, in scripts as packages ship them: a signal, a reload, a tool for it.
_REOPENS: Final = re.compile(
    r"""
      \b(?:SIG)?(?:HUP|USR1|USR2)\b
    | \bkill(?:all)?\s+-(?:1|10|12)\b
    | \b(?:reload|restart|reopen|graceful|flush-(?:[a-z]+-)?logs?|rotate|logrotate|logreopen)\b
    | \bFLUSH\b[^\n]*\bLOGS\b
    """,
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
#: Scripts that run behind the renaming of the log.
_BEHIND: Final = ("postrotate", "lastaction")


def reopening(rule: Rule) -> Script | None:
    """The script that looks as if it made the writer reopen its log; None: there is none."""
    return next((script for script in _behind(rule) if _REOPENS.search(_COMMENT.sub("", script.text))), None)


def unclear(rule: Rule) -> Script | None:
    """A script behind the renaming whose text does not show that the writer reopens, where none shows it."""
    return None if reopening(rule) else next((script for script in _behind(rule) if script.text.strip()), None)


def _behind(rule: Rule) -> list[Script]:
    return [script for script in rule.scripts if script.kind in _BEHIND]
