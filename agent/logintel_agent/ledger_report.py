"""The report of this host's ledger: what became of every event that its agent has read, and whether it adds up.

It reads the agent's checkpoint, whether the agent runs or not, and changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from logintel.refused import Refused
from logintel_agent.checkpoint_contents import Contents
from logintel_agent.ledger import Counts
from logintel_agent.ledger_view import Account, accounts, workers

_COLUMNS: Final = ("read", "acknowledged", "dropped", "dead letters", "waiting")


class Report:
    """Of the streams that `args` chooses: --source, --stream; its table by --hours. Raises Refused: there is none."""

    def __init__(self, directory: Path, args: argparse.Namespace) -> None:
        self.accounts = [account for account in _read(directory) if _is_wanted(account, args)]
        if not self.accounts and (args.source or args.stream):
            raise Refused(f"{directory}: nothing of that source or stream: `logintel ledger` shows all there are")
        self._by_hour: bool = args.hours

    def as_json(self) -> dict[str, object]:
        """As values of JSON."""
        return _as_json(self.accounts)

    def lines(self) -> list[str]:
        """The table."""
        return _table(self.accounts, by_hour=self._by_hour)

    def faults(self) -> list[str]:
        """What does not add up."""
        return list(_gaps(self.accounts))


def _read(directory: Path) -> list[Account]:
    paths = workers(directory)
    if not paths:
        raise Refused(f"{directory}: no agent has run here: name its configuration with --config, or --data")
    found: list[Account] = []
    for path in paths:
        contents = _contents(path)
        if contents.damaged:
            sys.stderr.write(f"logintel: {path}: {contents.damaged} lines are torn or damaged and left out\n")
        found += accounts(path.parent.name, contents)
    return found


def _contents(path: Path) -> Contents:
    try:
        return Contents.read(path)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}: run this as the user of the agent, or as root") from error


def _is_wanted(account: Account, args: argparse.Namespace) -> bool:
    if args.source not in (None, account.source, account.source.removesuffix("/spool")):
        return False
    return args.stream is None or account.stream == args.stream or (account.id or " ").startswith(args.stream)


def _as_json(found: Sequence[Account]) -> dict[str, object]:
    total, waiting = _total(found)
    gaps = any(account.gaps for account in found)
    whole = {**total.as_json(), "read": total.read + waiting, "waiting": waiting}
    return {"total": whole, "adds_up": not gaps, "accounts": [account.as_json() for account in found]}


def _table(found: Sequence[Account], *, by_hour: bool) -> list[str]:
    head = ["source", "stream", *(["hour"] if by_hour else []), *_COLUMNS]
    rows = [row for account in found for row in (_by_hour(account) if by_hour else [_row(account)])]
    total, waiting = _total(found)
    foot = ["total", "", *([""] if by_hour else []), *_numbers(total, waiting)]
    lines = _aligned([head, *rows, foot], words=len(head) - len(_COLUMNS))
    return [*lines, *_reasons("dropped", total.dropped), *_reasons("dead letters", total.dead_letters), *_before(found)]


def _row(account: Account) -> list[str]:
    return [account.source, _named(account), *_numbers(account.total, account.waiting)]


def _by_hour(account: Account) -> list[list[str]]:
    about = [account.source, _named(account)]
    hours = [[*about, hour.name, *_numbers(hour.counts, 0)] for hour in account.hours]
    waiting = [[*about, "now", *_numbers(Counts(), account.waiting)]] if account.waiting else []
    return hours + waiting


def _named(account: Account) -> str:
    name = account.stream if account.id else f"({account.streams} ended)"
    return "".join(character if character.isprintable() else "?" for character in name)


def _numbers(counts: Counts, waiting: int) -> list[str]:
    dropped, dead = sum(counts.dropped.values()), sum(counts.dead_letters.values())
    return [str(number) for number in (counts.read + waiting, counts.acknowledged, dropped, dead, waiting)]


def _total(found: Iterable[Account]) -> tuple[Counts, int]:
    total, waiting = Counts(), 0
    for account in found:
        total.add(account.total)
        waiting += account.waiting
    return total, waiting


def _aligned(rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """Columns: the first `words` of them to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if place < words else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _reasons(kind: str, counts: dict[str, int]) -> list[str]:
    return [f"{kind}: {count} {reason}" for reason, count in sorted(counts.items())]


def _before(found: Iterable[Account]) -> list[str]:
    before = sum(account.before for account in found)
    return [f"{before} events were read before this ledger was kept, and are not in it"] if before else []


def _gaps(found: Iterable[Account]) -> Iterator[str]:
    for account in found:
        for gap in account.gaps:
            about = f"{account.worker}, source {account.source}, stream {_named(account)} {account.id}".rstrip()
            yield f"{about}: {gap}: please report it, with the checkpoint file"
