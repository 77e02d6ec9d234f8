"""Show what the rotation of a log would lose or repeat: replays logrotate's rule against this agent.

`logintel doctor PATH` finds the source that reads PATH and the rule of logrotate that rotates it, replays the two
together in a scratch directory, and says which lines were lost or repeated, by what, and the fix. It changes nothing
on the host and runs none of its scripts. Exit code 0: fine; 1: something would be lost or repeated; 2: usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

EXAMPLES: Final = """
    logintel doctor /var/log/nginx/access.log --config /etc/logintel/agent.yaml
    logintel doctor /var/log/syslog                      # as source type application reads it by default
    logintel doctor app.log --logrotate ./app.logrotate  # a rule that is not installed yet
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", metavar="PATH", help="the log, as its program writes it; it need not be there yet")
    parser.add_argument("--config", metavar="FILE", type=Path, help="the agent's configuration (default: PATH alone)")
    parser.add_argument(
        "--logrotate",
        metavar="FILE",
        action="append",
        default=[],
        help="read this instead of /etc/logrotate.conf; may be given several times",
    )
    parser.add_argument(
        "--seconds", metavar="N", type=_seconds, default=60.0, help="longest time for the trial (default: 60)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Examine PATH and print the report; the exit code."""
    from logintel import logs  # noqa: PLC0415 - `--help` needs neither the agent nor the plugins
    from logintel_agent.doctor.diagnosis import diagnose  # noqa: PLC0415 - as above
    from logintel_agent.doctor.report import as_json, as_text  # noqa: PLC0415 - as above

    # What the trial's agent warns of, the report explains.
    logs.set_up("error")
    diagnosis = diagnose(args.path, args.config, args.logrotate, args.seconds)
    if args.json:
        import orjson  # noqa: PLC0415 - as above

        sys.stdout.write(orjson.dumps(as_json(diagnosis), default=str).decode() + "\n")
    else:
        sys.stdout.write(as_text(diagnosis))
    return 0 if diagnosis.fine else 1


def _seconds(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 3600:
        raise argparse.ArgumentTypeError("expected 1 to 3600 seconds")
    return value
