"""The `logintel` command: finds its sub-commands by entry point, loads only the one called, and says what went wrong.

A command is a module: its docstring is the help (first line short), EXAMPLES stands at the end of `--help`,
`arguments(parser)` declares its arguments and `run(args)` does it and returns the exit code.

Exit codes: 0 done, 1 the world refused, 2 usage or configuration, 130 interrupted, 141 nobody reads the output.
"""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import os
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from typing import Final, Protocol, cast

from logintel.config.problem import Misconfigured, nearest
from logintel.refused import Refused

GROUP: Final = "logintel.commands"
_DONE, _REFUSED, _USAGE, _INTERRUPTED, _BROKEN_PIPE = 0, 1, 2, 130, 141
#: Errors of the operating system that no program text can prevent.
_FULL_OR_FAILING: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


class Command(Protocol):
    """What a command module defines, besides its docstring."""

    EXAMPLES: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: the process's arguments) names; the exit code."""
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the last place that can make it a message
        return report(error)
    return code


def _dispatch(argv: list[str]) -> int:
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview(points))  # noqa: T201 - a command's output
        return _DONE if argv else _USAGE
    if argv[0] == "--version":
        print(f"logintel {importlib.metadata.version('logintel')}")  # noqa: T201 - a command's output
        return _DONE
    name, rest = argv[0], argv[1:]
    if name not in points:
        _say(f"logintel: unknown command {name!r}{nearest(name, points)}")
        return _USAGE
    try:
        command = _load(points[name])
    except Exception as error:
        raise Refused(f"command {name!r} cannot be loaded ({_brief(error)}): is logintel installed whole?") from error
    args = _parser(name, command).parse_args(rest)
    from logintel import logs  # noqa: PLC0415 - `--version` and `--help` need no logging

    logs.set_up("warning")
    return command.run(args)


def _load(point: EntryPoint) -> Command:
    return cast(Command, point.load())


def _parser(name: str, command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"logintel {name}",
        description=command.__doc__,
        epilog="examples:\n" + textwrap.indent(textwrap.dedent(command.EXAMPLES).strip(), "  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.arguments(parser)
    return parser


def _overview(points: dict[str, EntryPoint]) -> str:
    width = max(map(len, points), default=0)
    lines = [f"  {name:{width}}  {_summary(point)}" for name, point in sorted(points.items())]
    return "\n".join(
        [
            "usage: logintel [-h] [--version] COMMAND ...",
            "",
            "commands:",
            *lines,
            "",
            "`logintel COMMAND --help` shows its arguments and examples.",
        ]
    )


def _summary(point: EntryPoint) -> str:
    """The first line of the command's docstring; a broken command must not hide the others."""
    try:
        return (_load(point).__doc__ or "").strip().partition("\n")[0]
    except Exception as error:  # noqa: BLE001 - a command may be foreign code: whatever its import raises is shown
        return f"(broken: {_brief(error)})"


def report(error: BaseException) -> int:
    """Say on stderr what ended the command; the exit code."""
    leaves = list(_leaves(error))
    if all(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        # Python flushes stdout once more at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    if all(isinstance(leaf, Misconfigured) for leaf in leaves):
        for leaf in leaves:
            _say(str(leaf))
        return _USAGE
    if all(isinstance(leaf, Refused | Misconfigured) or _is_disk(leaf) for leaf in leaves):
        for line in dict.fromkeys(map(_one_line, leaves)):
            _say(f"logintel: {line}")
        return _REFUSED
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return _INTERRUPTED
    _say(f"logintel: this is a bug: {_brief(leaves[0])}; {_keep_traceback(error)}")
    return _REFUSED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside groups of errors (task groups make them)."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _is_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL_OR_FAILING


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}: make room or mend it, then start again; what was acknowledged is kept"
    return str(error)


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _keep_traceback(error: BaseException) -> str:
    """Where the traceback can be read: stderr when LOGINTEL_DEBUG is set, else a file only this user can read."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get("LOGINTEL_DEBUG"):
        return f"traceback:\n{text}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="logintel-", suffix=".traceback", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(text)
    except OSError:
        return f"traceback:\n{text}"
    return f"please report it with {file.name}"


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the command's way of speaking
