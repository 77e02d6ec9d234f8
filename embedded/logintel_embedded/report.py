"""The report: what a person sees of a run, while it goes on and at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from logintel.event import Json
from logintel_collector.alert import Alert, Notification
from logintel_embedded.tally import Tally

_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
#: Rows of a list that are shown before the rest is summed up.
_ROWS = 12


@dataclass(eq=False)
class Progress:
    """One line that is written over itself, on a terminal only. Logs are written through it, above the line."""

    out: TextIO
    _looked: float = field(default_factory=time.monotonic)
    _read: int = 0
    _rate: float = 0.0
    _shown: bool = False

    def show(self, sent: int, tally: Tally) -> None:
        """Show how far it is, and how fast it was of late."""
        if not self.out.isatty():
            return
        now = time.monotonic()
        latest = (tally.read - self._read) / max(now - self._looked, 0.001)
        self._rate = latest if self._rate == 0 else 0.8 * self._rate + 0.2 * latest
        self._looked, self._read = now, tally.read
        alerts = _count(len(tally.alerts), "alert")
        text = f"{sent:,} read · {tally.indexed:,} indexed · {alerts} · {self._rate:,.0f} events/s"
        self.out.write(f"\r\x1b[2K{text}")
        self.out.flush()
        self._shown = True

    def write(self, text: str) -> int:
        """Text for the same terminal."""
        self.clear()
        return self.out.write(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self.out.flush()

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return self.out.isatty()

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._shown:
            self.out.write("\r\x1b[2K")
            self.out.flush()
            self._shown = False


@dataclass(frozen=True)
class Screen:
    """The notifier's log channel for a person who watches; where the summary shows the alerts, they are not told twice.

    quiet  the run ends with a summary soon
    """

    out: Progress
    quiet: bool
    name: str = "log"
    timeout: float = 1.0

    async def tell(self, notification: Notification) -> None:
        """See Channel."""
        alert = notification.body["alert"]
        assert isinstance(alert, dict)
        assert isinstance(alert["metadata"], dict)
        if not self.quiet:
            what = f"{alert['metadata']['rule']}: {alert['metadata']['reason']}"
            self.out.write(f"{alert['severity']} alert {notification.body['occasion']}: {what}\n")

    async def close(self) -> None:
        """Nothing is open."""


def summary(tally: Tally, seconds: float, total_indexed: int) -> dict[str, Json]:
    """The `--json` summary: events_read = events_indexed + dead_letters + filtered + repeats."""
    return {
        "events_read": tally.read,
        "events_indexed": tally.indexed,
        "unparsed": tally.unparsed,
        "dead_letters": tally.dead_letters,
        "filtered": tally.filtered,
        "repeats": tally.repeats,
        "alerts": len(tally.alerts),
        "seconds": round(seconds, 3),
        "total_indexed": total_indexed,
        "by_source": dict(tally.by(0)),
        "by_level": dict(tally.by(1)),
        "by_format": dict(tally.by(2)),
        "problems": list(tally.problems),
    }


def lines(tally: Tally, seconds: float, total_indexed: int, data: Path, store: Path) -> Iterator[str]:
    """The summary for a person."""
    rate = f", {tally.read / seconds:,.0f} a second" if seconds > 0 and tally.read else ""
    yield f"{tally.read:,} events read in {seconds:.1f} s{rate}; {_fates(tally)}."
    yield ""
    yield from _columns([("by source", tally.by(0)), ("by level", tally.by(1)), ("by format", tally.by(2))])
    yield ""
    yield from _alerts(list(tally.alerts.values()))
    if tally.problems:
        yield f"{_count(len(tally.problems), 'problem')}:"
        yield from (f"  {problem}" for problem in tally.problems)
        yield ""
    yield f"Everything is in {data}: {total_indexed:,} events and all alerts in {store.name}."
    yield "Try next:"
    command = _command()
    worst = next((level for level in ("FATAL", "ERROR", "WARN") if level in dict(tally.by(1))), None)
    yield f"  {command} search 'level:{worst or 'INFO'}' --data {data} --limit 5"
    yield f"  {command} alerts list --data {data}"
    yield f"  {command} run /var/log --data {data}"


def _fates(tally: Tally) -> str:
    """What became of them: the parts sum up to what was read."""
    parts = [f"{tally.indexed:,} indexed"]
    if tally.unparsed:
        parts[0] += f" ({tally.unparsed:,} of them not parsed, kept as text)"
    parts += [
        f"{count:,} {name}"
        for count, name in (
            (tally.repeats, "repeats of events that were indexed before"),
            (tally.dead_letters, "kept as dead letters"),
            (tally.filtered, "filtered"),
        )
        if count
    ]
    return ", ".join(parts)


def _columns(lists: list[tuple[str, list[tuple[str, int]]]]) -> Iterator[str]:
    """Lists side by side."""
    blocks = [[title, *_rows(rows)] for title, rows in lists]
    height = max(map(len, blocks))
    widths = [max(map(len, block)) for block in blocks]
    for row in range(height):
        cells = [block[row] if row < len(block) else "" for block in blocks]
        yield "  " + "    ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _rows(counts: list[tuple[str, int]]) -> list[str]:
    shown, rest = counts[:_ROWS], counts[_ROWS:]
    if rest:
        shown = [*shown, (f"{len(rest)} more", sum(count for _, count in rest))]
    name_width = max((len(name) for name, _ in shown), default=0)
    count_width = max((len(f"{count:,}") for _, count in shown), default=0)
    return [f"{name:{name_width}}  {count:>{count_width},}" for name, count in shown]


def _alerts(alerts: list[Alert]) -> Iterator[str]:
    if not alerts:
        yield "No alerts."
        yield ""
        return
    alerts.sort(key=lambda alert: (_SEVERITIES.index(alert.severity), alert.triggered_at))
    yield f"{_count(len(alerts), 'alert')}:"
    for alert in alerts[:_ROWS]:
        yield f"  {alert.severity:8}  {alert.metadata['rule']}: {alert.metadata['reason']}"
    if len(alerts) > _ROWS:
        yield f"  … and {len(alerts) - _ROWS:,} more"
    yield ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _command() -> str:
    """The command as this person can type it."""
    called = Path(sys.argv[0])
    if called.is_absolute() and called.is_relative_to(Path.cwd()):
        return str(called.relative_to(Path.cwd()))
    return str(called) if called.name == "logintel" else "logintel"
