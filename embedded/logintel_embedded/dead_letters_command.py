"""List, show, send once more or drop dead letters: those that the agent has kept on this host, or the collector's.

A dead letter is an event that could not go on, whole, with the reason. With the configuration of an agent the command
works on the agent's own files, with that of a collector on topic log-dead-letter, without servers on what `logintel
run` keeps. `replay` sends events once more, under their own ids, from the stage that refused them, and takes a letter
away when its event has arrived; `drop` takes it away.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from logintel.config.problem import Misconfigured, Problem
from logintel.letter_box import Found, LetterBox
from logintel.paths import default_data_dir
from logintel.refused import Refused
from logintel_embedded.letter_boxes import boxes, configured

EXAMPLES: Final = """
logintel deadletters list --config /etc/logintel/agent.yaml
logintel deadletters list --config /etc/logintel/collector.yaml --stage indexer
logintel deadletters show 3f2c9a1e-5b7d-8c01-8000-0000000a0000 --raw > event.json
logintel deadletters replay --reason refused_by_bus --config /etc/logintel/agent.yaml
logintel deadletters drop --source shop --reason too_long
"""
_VERBS: Final = "list|show|replay|drop"
#: Letters that are sent or dropped at once: what a kill may have sent twice.
_STEP: Final = 100


class Held(NamedTuple):
    """A letter, and the box that it is in."""

    box: LetterBox
    found: Found


def arguments(parser: argparse.ArgumentParser) -> None:
    """list, show LOG_ID, replay and drop LOG_ID... or a selection."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=_VERBS)
    listing = verbs.add_parser("list", help="how many by stage and reason, then a line for each; never the content")
    _add_selection(listing)
    listing.add_argument("--json", action="store_true", help="whole letters, one JSON object a line")
    showing = verbs.add_parser("show", help="all of one letter")
    showing.add_argument("log_ids", nargs=1, metavar="LOG_ID", help="the event's id")
    showing.add_argument("--raw", action="store_true", help="only the event's bytes, as they are")
    showing.add_argument("--json", action="store_true", help="the letter as JSON, the bytes in base64")
    for verb, what in (("replay", "send them once more"), ("drop", "delete them")):
        acting = verbs.add_parser(verb, help=what)
        acting.add_argument("log_ids", nargs="*", metavar="LOG_ID", help="the event's id")
        _add_selection(acting)
        acting.add_argument("--all", action="store_true", help="every letter")
        acting.add_argument("--json", action="store_true", help="print one JSON object with the counts")
    for each in verbs.choices.values():
        each.add_argument("--config", metavar="FILE", help="YAML with the keys of agent.yaml, collector.yaml or both")
        each.add_argument("--data", metavar="DIR", type=Path, help="where state is kept (default: %(default)s)")
        each.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """0: done; 1: a letter is not there, or could not be sent."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    async with _opened(args) as found:
        match args.verb:
            case "list":
                return await _list(found, args)
            case "show":
                return _show(await _named(found, args), args)
            case _:
                return await _act(found, args)


@asynccontextmanager
async def _opened(args: argparse.Namespace) -> AsyncIterator[Sequence[LetterBox]]:
    data: Path = args.data.absolute()
    async with AsyncExitStack() as stack:
        opened = list(boxes(configured(args.config, data), data))
        for box in opened:
            stack.push_async_callback(box.close)
        yield opened


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", metavar="STAGE", help="only those that this stage refused")
    parser.add_argument("--reason", metavar="REASON", help="only those with this reason")
    parser.add_argument("--source", metavar="NAME", help="only those of this source")


async def _selected(opened: Sequence[LetterBox], args: argparse.Namespace) -> AsyncIterator[Held]:
    for box in opened:
        async for found in box.letters():
            if _is_wanted(found, args):
                yield Held(box, found)


def _is_wanted(found: Found, args: argparse.Namespace) -> bool:
    letter = found.letter
    asked = (("stage", letter.stage), ("reason", letter.reason), ("source", found.source))
    if getattr(args, "log_ids", None) and letter.log_id not in args.log_ids:
        return False
    return all(getattr(args, key, None) in (None, value) for key, value in asked)


async def _named(opened: Sequence[LetterBox], args: argparse.Namespace) -> list[Held]:
    """The letters whose ids are given. Raises Refused when one is not there: nothing is done then."""
    found = [held async for held in _selected(opened, args)]
    known = {held.found.letter.log_id for held in found}
    if missing := [log_id for log_id in args.log_ids if log_id not in known]:
        raise Refused(f"no such dead letter: {', '.join(missing)}: `logintel deadletters list` shows those there are")
    return found


async def _list(opened: Sequence[LetterBox], args: argparse.Namespace) -> int:
    counts: Counter[tuple[str, str]] = Counter()
    lines: list[str] = []
    async for _, found in _selected(opened, args):
        counts[found.letter.stage, found.letter.reason] += 1
        if args.json:
            sys.stdout.write(orjson.dumps(found.as_json()).decode() + "\n")
        else:
            lines.append(_line(found))
    if not args.json:
        by_kind = ", ".join(f"{count} {stage} {reason}" for (stage, reason), count in sorted(counts.items()))
        total = sum(counts.values())
        sys.stdout.write(f"{total} dead letter{'s' * (total != 1)}{': ' * bool(counts)}{by_kind}\n")
        sys.stdout.writelines(lines)
    for note in (note for box in opened for note in box.notes()):
        sys.stderr.write(f"logintel: {note}\n")
    return 0


def _line(found: Found) -> str:
    letter = found.letter
    about = [letter.log_id, letter.created_at[:19] + "Z", found.source or "?", letter.stage, letter.reason]
    return "  ".join([*about, f"{len(letter.original)} bytes", letter.error]) + "\n"


def _show(held: Sequence[Held], args: argparse.Namespace) -> int:
    for _, found in held:
        if args.raw:
            sys.stdout.buffer.write(found.letter.original)
        elif args.json:
            sys.stdout.buffer.write(orjson.dumps(found.as_json()) + b"\n")
        else:
            sys.stdout.write(_whole(found))
    return 0


def _whole(found: Found) -> str:
    """Every key on a line; the bytes last, with what a terminal would obey written out."""
    known = {key: value for key, value in found.as_json().items() if key != "original"}
    width = max(map(len, known))
    text = found.letter.original.decode("utf-8", "backslashreplace")
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return "".join(f"{key:{width}}  {value}\n" for key, value in known.items()) + f"{'original':{width}}  {shown}\n"


async def _act(opened: Sequence[LetterBox], args: argparse.Namespace) -> int:
    """Replay or drop, some at a time: what is done stays done when the next ones cannot be. Raises Misconfigured."""
    if not args.log_ids and not (args.all or args.stage or args.reason or args.source):
        message = f"say which to {args.verb}: a LOG_ID as `list` shows it, --stage, --reason, --source or --all"
        raise Misconfigured([Problem("", 0, "", message)])
    if args.log_ids:
        await _named(opened, args)
    done = kept = 0
    for box in opened:
        async for some in _steps(box, args):
            if args.verb == "drop":
                done += await box.drop(some)
                continue
            stay = await box.replay(some)
            done, kept = done + len(some) - len(stay), kept + len(stay)
            for found, why_not in stay:
                sys.stderr.write(f"logintel: {found.letter.log_id}: {found.letter.reason}: {why_not}\n")
    if args.verb == "drop":
        _write({"dropped": done}, f"{done} dropped", as_json=args.json)
    else:
        _write({"sent": done, "kept": kept}, f"{done} sent once more, {kept} kept", as_json=args.json)
    return 1 if kept else 0


async def _steps(box: LetterBox, args: argparse.Namespace) -> AsyncIterator[list[Found]]:
    some: list[Found] = []
    async for _, found in _selected([box], args):
        some.append(found)
        if len(some) == _STEP:
            yield some
            some = []
    if some:
        yield some


def _write(values: dict[str, int], text: str, *, as_json: bool) -> None:
    sys.stdout.write((orjson.dumps(values).decode() if as_json else text) + "\n")
