"""List, show, send once more or drop the dead letters that the agent has kept on this host.

A dead letter is an event that could not go on, whole, with the reason. It works while the agent runs, and when it does
not. `replay` sends events once more, under their own ids, from the stage that refused them, and takes a letter away
when the bus has it; `drop` takes it away.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import orjson

from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem
from logintel.paths import default_data_dir
from logintel.refused import Refused
from logintel_agent.agent_letters import AgentLetters, Place
from logintel_agent.config import AgentConfig
from logintel_agent.kept_letter import Kept

EXAMPLES: Final = """
logintel deadletters list --config /etc/logintel/agent.yaml
logintel deadletters show 3f2c9a1e-5b7d-8c01-8000-0000000a0000 --raw > event.json
logintel deadletters replay --reason refused_by_bus --config /etc/logintel/agent.yaml
logintel deadletters drop --source shop --reason too_long
"""
_VERBS: Final = "list|show|replay|drop"


def arguments(parser: argparse.ArgumentParser) -> None:
    """list, show LOG_ID, replay and drop LOG_ID... or a selection."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=_VERBS)
    listing = verbs.add_parser("list", help="one line for each, oldest first; never the content")
    _add_selection(listing)
    listing.add_argument("--json", action="store_true", help="whole letters, one JSON object a line")
    showing = verbs.add_parser("show", help="all of one letter")
    showing.add_argument("log_ids", nargs=1, metavar="LOG_ID", help="the event's id")
    showing.add_argument("--raw", action="store_true", help="only the event's bytes, as they are")
    showing.add_argument("--json", action="store_true", help="the letter as JSON, the bytes in base64")
    for verb, what in (("replay", "send them to Kafka once more"), ("drop", "delete them")):
        acting = verbs.add_parser(verb, help=what)
        acting.add_argument("log_ids", nargs="*", metavar="LOG_ID", help="the event's id")
        _add_selection(acting)
        acting.add_argument("--all", action="store_true", help="every letter")
        acting.add_argument("--json", action="store_true", help="print one JSON object with the counts")
    for each in verbs.choices.values():
        each.add_argument("--config", metavar="FILE", help="YAML with the keys of agent.yaml")
        each.add_argument("--data", metavar="DIR", type=Path, help="where state is kept (default: %(default)s)")
        each.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """0: done; 1: a letter is not there, or could not be sent."""
    config = load(AgentConfig, args.config, args.data.absolute())
    letters = AgentLetters(config.agent.data_dir, config.agent.dead_letters)
    match args.verb:
        case "list":
            return _list(letters, _selected(letters, args), as_json=args.json)
        case "show":
            return _show(_named(letters, args), args)
        case "replay":
            return _replay(letters, _named(letters, args), config, as_json=args.json)
        case _:
            dropped = letters.remove(_named(letters, args))
            _write({"dropped": dropped}, f"{dropped} dropped", as_json=args.json)
            return 0


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="REASON", help="only those with this reason")
    parser.add_argument("--source", metavar="NAME", help="only those of this source")


def _selected(letters: AgentLetters, args: argparse.Namespace) -> Iterable[Place]:
    try:
        yield from (place for place in letters.find() if _is_wanted(place.kept, args))
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}: run this as the user of the agent, or as root") from error


def _is_wanted(kept: Kept, args: argparse.Namespace) -> bool:
    reason, source = getattr(args, "reason", None), getattr(args, "source", None)
    return reason in (None, kept.letter.reason) and source in (None, kept.source)


def _named(letters: AgentLetters, args: argparse.Namespace) -> list[Place]:
    """The letters that a command names. Raises Misconfigured when it names none, Refused when one is not there."""
    everything = getattr(args, "all", False) or any(getattr(args, key, None) for key in ("reason", "source"))
    if not args.log_ids and not everything:
        message = f"say which to {args.verb}: a LOG_ID as `list` shows it, --reason, --source or --all"
        raise Misconfigured([Problem("", 0, "", message)])
    found = list(_selected(letters, args))
    if not args.log_ids:
        return found
    known = {place.kept.letter.log_id for place in found}
    if missing := [log_id for log_id in args.log_ids if log_id not in known]:
        raise Refused(f"no such dead letter: {', '.join(missing)}: `logintel deadletters list` shows those there are")
    return [place for place in found if place.kept.letter.log_id in args.log_ids]


def _list(letters: AgentLetters, places: Iterable[Place], *, as_json: bool) -> int:
    reasons: Counter[str] = Counter()
    for _, _, kept in places:
        reasons[kept.letter.reason] += 1
        sys.stdout.write(orjson.dumps(kept.as_json()).decode() + "\n" if as_json else _line(kept))
    if not as_json:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        total = sum(reasons.values())
        sys.stdout.write(f"{total} dead letter{'s' * (total != 1)}{': ' * bool(counts)}{counts}\n")
    for bound, count in sorted(letters.dropped.items()):
        sys.stderr.write(f"logintel: {count} more were dropped for agent.dead_letters.{bound}\n")
    if letters.damaged:
        sys.stderr.write(f"logintel: {letters.damaged} lines are torn or damaged and left out\n")
    return 0


def _line(kept: Kept) -> str:
    letter = kept.letter
    about = [letter.log_id, letter.created_at[:19] + "Z", kept.source or "?", letter.stage, letter.reason]
    return "  ".join([*about, f"{len(letter.original)} bytes", letter.error]) + "\n"


def _show(places: Sequence[Place], args: argparse.Namespace) -> int:
    for _, _, kept in places:
        if args.raw:
            sys.stdout.buffer.write(kept.letter.original)
        elif args.json:
            sys.stdout.buffer.write(orjson.dumps(kept.as_json()) + b"\n")
        else:
            sys.stdout.write(_whole(kept))
    return 0


def _whole(kept: Kept) -> str:
    """Every key on a line; the bytes last, with what a terminal would obey written out."""
    known = {key: value for key, value in kept.as_json().items() if key != "original"}
    width = max(map(len, known))
    text = kept.letter.original.decode("utf-8", "backslashreplace")
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return "".join(f"{key:{width}}  {value}\n" for key, value in known.items()) + f"{'original':{width}}  {shown}\n"


def _replay(letters: AgentLetters, places: Sequence[Place], config: AgentConfig, *, as_json: bool) -> int:
    if config.bus.kafka is None:
        message = "is missing: name the agent's configuration with --config, so that it is known where to send"
        raise Misconfigured([Problem("", 0, "bus.kafka", message)])
    from logintel_agent.letter_replay import replay  # noqa: PLC0415 - loads Kafka's client

    result = asyncio.run(replay(letters, places, config))
    for kept, why_not in result.refused:
        sys.stderr.write(f"logintel: {kept.letter.log_id}: {kept.letter.reason}: {why_not}\n")
    _write(
        {"sent": result.sent, "kept": len(result.refused)},
        f"{result.sent} sent once more, {len(result.refused)} kept",
        as_json=as_json,
    )
    return 1 if result.refused else 0


def _write(values: dict[str, int], text: str, *, as_json: bool) -> None:
    sys.stdout.write((orjson.dumps(values).decode() if as_json else text) + "\n")
