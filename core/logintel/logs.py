"""Self-logging: structlog to stderr, JSON lines for journald and pipes, readable text on a terminal.

Events are snake_case names with key=value: ids, counts and reasons, never the content of what is read.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Final, Literal, Protocol, TextIO, TypeAlias, cast

import structlog
from structlog.typing import Processor

Severity: TypeAlias = Literal["debug", "info", "warning", "error"]
_LEVELS: Final[dict[Severity, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_log = structlog.get_logger(__name__)


class Stream(Protocol):
    """Where logs are written."""

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


def set_up(level: Severity = "info", stream: Stream | None = None) -> None:
    """Called once, by a process that runs for long, before its first event. `stream`: stderr by default."""
    target: Stream = stream or sys.stderr
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if target.isatty():
        processors += [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, target)),
    )


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Log what no task of `loop` caught, instead of asyncio's own text on stderr."""
    loop.set_exception_handler(_uncaught)


def _uncaught(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if context["message"].startswith("Unclosed "):  # as aiokafka says where a start that was given up left a connection
        _log.info("closed_late", reason=context["message"], effect="none: the collector of garbage closed it")
        return
    _log.error("uncaught_exception", reason=context["message"], exc_info=context.get("exception"))
