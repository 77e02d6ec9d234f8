"""Asking a running agent, and its answers as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from logintel.config.problem import Misconfigured, Problem
from logintel.refused import Refused
from logintel_agent.control import Message, ask

#: Seconds to wait for an answer; a reload waits for what is on its way, source by source at the same time.
_STATUS: Final = 10.0
_RELOAD: Final = 120.0
#: Columns of what is printed: head and key.
_SOURCE: Final = {
    "source": "name",
    "state": "state",
    "read": "events_read",
    "sent": "events_sent",
    "waiting": "waiting_events",
    "held bytes": "waiting_bytes",
    "last event": "last_event",
}
_STREAM: Final = {
    "source": "source",
    "stream": "stream",
    "worker": "worker",
    "events": "events",
    "partition": "partition",
    "last event": "last_event",
}


def status(directory: Path, *, streams: bool, as_json: bool) -> int:
    """Print what the agent does; 1 unless it gets on. Raises Refused: it does not run."""
    answer = ask(directory, {"ask": "status", "streams": streams}, _STATUS)
    _print([json.dumps(answer, indent=2, ensure_ascii=False)] if as_json else _status(answer))
    return 0 if answer["health"]["verdict"] == "ok" else 1


def reload(directory: Path, *, only_plan: bool, as_json: bool) -> int:
    """Print what the reload does or did; 1 when it was refused. Raises Misconfigured, Refused."""
    answer = ask(directory, {"ask": "reload", "plan": only_plan}, _RELOAD)
    if as_json:
        _print([json.dumps(answer, indent=2, ensure_ascii=False)])
        return {"invalid": 2, "refused": 1}.get(answer["outcome"], 0)
    if answer["outcome"] == "invalid":
        raise Misconfigured([Problem(**problem) for problem in answer["problems"]])
    _print(_plan(answer["plan"]))
    if answer["outcome"] == "refused":
        raise Refused(answer["reason"])
    outcome = str(answer["outcome"])
    _print([{"planned": "nothing was done", "unchanged": "nothing to do"}.get(outcome, outcome)])
    return 0


def _plan(plan: dict[str, Any]) -> Iterator[str]:
    for what in ("added", "removed", "kept"):
        if plan[what]:
            yield f"{what:8} {', '.join(plan[what])}"
    yield from (f"{'changed':8} {name}: {', '.join(keys)}" for name, keys in plan["changed"].items())
    yield from (f"{'note':8} {risk}" for risk in plan["risks"])


def _status(answer: Message) -> Iterator[str]:
    health = answer["health"]
    yield health["verdict"] + "".join(f"\n  {reason}" for reason in health["reasons"])
    yield f"logintel {answer['version']}, process {answer['pid']}, up {_duration(answer['uptime'])}"
    yield f"configuration {answer['config']['hash']}: {', '.join(answer['config']['files'])}"
    if last := answer["last_reload"]:
        yield f"last reload {last['at']}: {last['outcome']}" + (f": {last['reason']}" if "reason" in last else "")
    for worker in answer.get("workers", ()):
        state = f"process {worker['pid']}" if worker["pid"] else "not running"
        yield f"worker {worker['number']}: {state}, {worker['restarts']} restarts"
    if letters := answer.get("dead_letters"):
        yield f"{letters} dead letters since the start: `logintel deadletters list` shows them"
    yield ""
    yield from _table(_SOURCE, answer["sources"])
    for source in answer["sources"]:
        for reason, count in source["dropped"].items():
            yield f"{source['name']}: {count:,} dropped: {reason}"
        if error := source["last_error"]:
            yield f"{source['name']}: last error {error['at']}: {error['text']}"
    if "streams" in answer:
        yield ""
        yield from _table(_STREAM, answer["streams"])


def _table(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    cells = [list(columns), *([_cell(row[name]) for name in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)  # noqa: T201 - the command's output
