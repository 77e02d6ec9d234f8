"""Check, show or describe configuration files; no server is needed, and none is tried without --connect.

`check` tells every problem of every file, each by file, line and key; each FILE is a configuration of its own.
`show` prints the configuration in effect, defaults included, secrets not. `schema` prints the JSON schema of
everything that may be configured, the installed source types included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

import yaml

from logintel.config.load import load_all
from logintel.config.problem import Misconfigured, Problem
from logintel.config.shared import SharedConfig
from logintel.config.whole import shown, whole_model
from logintel.refused import Refused

EXAMPLES: Final = """
logintel config check /etc/logintel/agent.yaml /etc/logintel/collector.yaml
logintel config check --connect /etc/logintel/collector.yaml
logintel config show --json logintel.yaml
logintel config schema > logintel.schema.json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """check FILE..., show FILE, schema."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|show|schema")
    check = verbs.add_parser("check", help="tell every problem of every file")
    check.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a configuration; sources.d beside it is read too"
    )
    check.add_argument("--json", action="store_true", help="problems as a JSON list of file, line, key and message")
    check.add_argument("--connect", action="store_true", help="try the servers that they name, too")
    show = verbs.add_parser("show", help="print the configuration in effect, without secrets")
    show.add_argument("file", type=Path, metavar="FILE", help="a configuration; sources.d beside it is read too")
    show.add_argument("--json", action="store_true", help="as JSON instead of YAML")
    schema = verbs.add_parser("schema", help="print the JSON schema of everything that may be configured")
    schema.add_argument("--json", action="store_true", help="the schema is JSON in any case")


def run(args: argparse.Namespace) -> int:
    """0: done; 2: there are problems."""
    match args.verb:
        case "check":
            return _check(args.files, as_json=args.json, connect=args.connect)
        case "show":
            values = shown(load_all(whole_model(), args.file))
            _write(_json(values) if args.json else yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        case "schema":
            schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole_model().model_json_schema()}
            _write(_json(schema))
    return 0


def _check(files: list[Path], *, as_json: bool, connect: bool) -> int:
    model, problems, unreached = whole_model(), list[Problem](), list[Problem]()
    for file in files:
        try:
            loaded = load_all(model, file)
        except Misconfigured as error:
            problems += error.problems
            continue
        further = loaded.config.further_problems()
        problems += further
        if not as_json and not further:
            _write("\n  ".join([f"OK: {', '.join(loaded.files)}", *loaded.config.plan()]) + "\n")
        if connect:
            answers = asyncio.run(_answers(loaded.config))
            unreached += [Problem(str(file), 0, "", answer[1]) for answer in answers if not answer[0]]
            if not as_json:
                _write("".join(f"  {text}\n" for answered, text in answers if answered))
    if as_json:
        _write(_json([problem._asdict() for problem in problems + unreached]))
    elif problems:
        raise Misconfigured(problems)
    elif unreached:
        raise ExceptionGroup("servers", [Refused(str(problem)) for problem in unreached])
    return 2 if problems else 1 if unreached else 0


async def _answers(config: SharedConfig) -> list[tuple[bool, str]]:
    """Whether each server answers, and what it or the try said."""
    answers = []
    for outcome in await asyncio.gather(*config.servers(), return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
            raise outcome
        answers.append((not isinstance(outcome, Refused), str(outcome)))
    return answers


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write(text: str) -> None:
    sys.stdout.write(text)
