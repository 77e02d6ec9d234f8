"""The budget: CPU time that a piece of work may take; a pattern that takes longer is interrupted in the middle.

`re` looks for signals every few thousand steps of a match, so a timer's signal ends even a pattern that backtracks
without end. The timer counts the CPU time of this process, not the clock: a busy host makes no event overrun.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import ClassVar, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Overrun(Exception):
    """The work took more CPU time than its budget."""


class Budget:
    """Runs work for at most `seconds` of CPU time, one piece at a time. Raises ValueError outside the main thread."""

    _armed: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        signal.signal(signal.SIGVTALRM, _on_signal)

    def spend(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the work answers. Raises Overrun, and what the work raises."""
        Budget._armed = True
        # It fires again and again: an exception raised inside a callback of the interpreter's would be lost.
        signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds, self.seconds)
        try:
            return work(*args, **kwargs)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            Budget._armed = False


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    if Budget._armed:  # noqa: SLF001 - the timer is the process's, and so is this
        raise Overrun
