"""Collect logs on this host and send them to Kafka.

`logintel agent run --config agent.yaml` follows what the configuration names until stopped (Ctrl-C, SIGTERM); with
--once it ends when everything is read and Kafka has it. Started again, it goes on where it was. `status` says what a
running agent does, and whether it gets on; `reload` puts its changed configuration into effect (so does SIGHUP).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from logintel.paths import default_data_dir

EXAMPLES: Final = """
    logintel agent run --config /etc/logintel/agent.yaml
    logintel agent run --config agent.yaml --once --json    # send what is there, print what was sent, end
    logintel agent status --config agent.yaml               # exit code 0: it gets on
    logintel agent reload --config agent.yaml --plan        # what a reload would do
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """run, status, reload."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="run|status|reload")
    run_ = actions.add_parser("run", help="collect and send")
    run_.add_argument("--config", metavar="FILE", required=True, help="YAML with the keys of agent.yaml")
    run_.add_argument("--once", action="store_true", help="end when all is read and Kafka has it")
    run_.add_argument("--json", action="store_true", help="print one JSON object with the summary, last")
    status = actions.add_parser("status", help="say what the running agent does; exit code 1 unless it gets on")
    status.add_argument("--streams", action="store_true", help="each stream too: where it is, what was sent of it")
    reload = actions.add_parser("reload", help="put the changed configuration into effect")
    reload.add_argument("--plan", action="store_true", help="only say what it would do")
    for asking in (status, reload):
        asking.add_argument("--config", metavar="FILE", help="the running agent's; or name its data with --data")
        asking.add_argument("--json", action="store_true", help="print the agent's answer as JSON")
    for action in (run_, status, reload):
        help_ = "where state is kept (default: %(default)s)"
        action.add_argument("--data", metavar="DIR", type=Path, default=default_data_dir(), help=help_)


def run(args: argparse.Namespace) -> int:
    """1: something could not be read, does not get on, or was refused; 2: the configuration is wrong."""
    if args.action == "run":
        from logintel_agent.run_agent import run_agent  # noqa: PLC0415 - who only asks needs no client of Kafka's

        return run_agent(args.config, args.data.absolute(), once=args.once, as_json=args.json)
    from logintel_agent.ask_agent import reload, status  # noqa: PLC0415 - who runs an agent asks none

    directory = _directory(args.config, args.data.absolute())
    if args.action == "status":
        return status(directory, streams=args.streams, as_json=args.json)
    return reload(directory, only_plan=args.plan, as_json=args.json)


def _directory(config: str | None, data: Path) -> Path:
    """Where the agent's control socket is. The agent runs on while its file is wrong, and can be asked then, too."""
    from logintel.config.document import read_yaml  # noqa: PLC0415 - `--help` needs none of it
    from logintel.config.load import load  # noqa: PLC0415
    from logintel.config.problem import Misconfigured  # noqa: PLC0415
    from logintel_agent.config import AgentConfig  # noqa: PLC0415

    try:
        return load(AgentConfig, config, data).agent.data_dir
    except Misconfigured:
        written = read_yaml(config or "").value
        if not written:
            raise
    section = written.get("agent")
    own = load(AgentConfig, None, data).agent.data_dir
    return data / str(section["data_dir"]) if isinstance(section, dict) and "data_dir" in section else own
