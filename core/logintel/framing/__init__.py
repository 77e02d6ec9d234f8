"""Framing: which lines make one record."""

from logintel.framing.end_pattern import EndPattern
from logintel.framing.every_line import EveryLine
from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES
from logintel.framing.stack_traces import StackTraces
from logintel.framing.start_pattern import StartPattern

__all__ = ["MAX_CHARACTERS", "MAX_LINES", "EndPattern", "EveryLine", "StackTraces", "StartPattern"]
