"""The rules: what makes a source degraded or unhealthy, and when that takes effect (docs/sources.md is their text)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from logintel_collector.source_health import ORDER, Health
from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.report import SourceReport
from logintel_collector.source_health.wording import lag_text, lasted

_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Rules:
    """All in seconds, but for counts.

    silent        without a heartbeat: three of them
    stopped       since an agent said that it stops: it may be started again
    listening     for which all agents must have been listened to before one is taken for silent
    stalled       for which something waits and nothing is acknowledged
    window        in which lag must shrink, and errors are counted
    lag_bytes, lag_records  that are no lag yet
    errors, error_share  so many, and so much of what was read, in one window
    worse, better  for which a verdict must last to take effect
    learning, gaps  after which the past of a source says how often it speaks
    quiet         bounds of what is expected: twice the longest gap, which fades by half in `fading`
    forgotten     without a heartbeat: nobody waits for it any more
    """

    silent: float = 90.0
    stopped: float = 30.0
    listening: float = 40.0
    stalled: float = 60.0
    window: float = 60.0
    lag_bytes: int = 1024 * 1024
    lag_records: int = 1000
    errors: int = 10
    error_share: float = 0.05
    worse: float = 10.0
    better: float = 30.0
    learning: float = _DAY
    gaps: int = 20
    quiet: tuple[float, float] = (600.0, 7 * _DAY)
    fading: float = 14 * _DAY
    forgotten: float = 30 * _DAY


def judge(report: SourceReport, memory: Memory, now: float, listened: float, rules: Rules) -> None:
    """Bring `memory` up to `now`; `listened`: seconds for which agents were listened to without a break."""
    _learn(report, memory, rules)
    _look_at_window(report, memory, now, rules)
    silent = {worker for worker, at in report.ats.items() if now - at > rules.silent}
    stopped = {worker for worker in report.stopped if now - report.ats[worker] > rules.stopped}
    if report.finished:
        silent, stopped = set(), set()  # there is nothing more to hear
    elif memory.health is not None:
        if len(stopped) < len(report.stopped):
            return  # it may be about to start again
        if listened < rules.listening and silent - stopped:
            return  # what was said while nobody listened is about to be said again, or it is silent indeed
    verdict = _verdict(report, memory, now, rules, silent | stopped)
    settle(memory, verdict, now, rules, final=report.finished)


def settle(memory: Memory, verdict: tuple[Health, str], now: float, rules: Rules, *, final: bool = False) -> None:
    """Let a verdict take effect when it has lasted; the first one, and a `final` one, do at once."""
    health, reason = verdict
    if health == memory.health:
        memory.pending, memory.reason = None, reason
        return
    worse = _is_worse(health, memory.health)
    if memory.pending is None or _is_worse(memory.pending, memory.health) is not worse:
        memory.pending_since = now
    memory.pending = health
    at_once = final or memory.health in (None, "unknown") or health == "unknown"
    if at_once or now - memory.pending_since >= (rules.worse if worse else rules.better):
        memory.health, memory.reason, memory.since, memory.pending = health, reason, now, None


def _is_worse(health: Health, than: Health | None) -> bool:
    return than is not None and ORDER.index(health) < ORDER.index(than)


def expected_quiet(report: SourceReport, memory: Memory, rules: Rules) -> float | None:
    """Seconds without an event that are no silence; None: not known yet."""
    if report.silence is not None:
        return report.silence
    if memory.gaps < rules.gaps or memory.heard - memory.first < rules.learning:
        return None
    shortest, longest = rules.quiet
    return min(longest, max(shortest, 2 * memory.gap))


def _verdict(report: SourceReport, memory: Memory, now: float, rules: Rules, unheard: set[str]) -> tuple[Health, str]:
    if len(unheard) == len(report.ats):
        stopped = unheard == report.stopped
        return "unhealthy", "the agent was stopped" if stopped else "nothing is heard of the agent"
    if report.states == {"ended"}:
        return "unhealthy", "the source has ended"
    reasons = list(_degraded(report, memory, now, rules))
    if unheard:
        reasons.append(f"nothing is heard of {len(unheard)} of {len(report.ats)} workers")
    if reasons:
        return "degraded", "; ".join(reasons)
    return "healthy", "a run with --once has read it to its end" if report.finished else ""


def _degraded(report: SourceReport, memory: Memory, now: float, rules: Rules) -> Iterator[str]:
    if report.bus_trouble:
        yield f"the bus takes nothing: {report.bus_trouble}"
    if "failing" in report.states:
        yield f"it fails and is tried again: {(report.last_error or {}).get('text', '')}"
    if report.troubled:
        more = f" and {report.troubled - 1} more" if report.troubled > 1 else ""
        first = report.troubles[0] if report.troubles else {"what": "something", "reason": "unreadable"}
        yield f"{first['what']}: {first['reason']}{more}"
    if report.waits_for is not None and report.waits_for >= rules.stalled:
        yield f"nothing was acknowledged for {lasted(report.waits_for)}"
    if memory.lagging:
        yield memory.lagging
    if memory.failing:
        yield memory.failing
    expected = expected_quiet(report, memory, rules)
    if expected is not None and not report.finished and now - memory.event_at > expected:
        yield f"silent for {lasted(now - memory.event_at)}, {lasted(expected)} at most were expected"


def _learn(report: SourceReport, memory: Memory, rules: Rules) -> None:
    """How often the source speaks, by when its counts rise: the clock of its host does not matter."""
    at = report.at
    if not memory.heard:
        memory.first = memory.event_at = at
    elif at - memory.heard > rules.silent:
        memory.event_at += at - memory.heard  # what was not listened to is not its silence
    if at <= memory.heard:
        return
    memory.heard = at
    if report.events_read != memory.events and report.events_read:
        gap = at - memory.event_at
        memory.gap = max(gap, memory.gap * 0.5 ** (gap / rules.fading))
        memory.gaps += 1
        memory.event_at = at
    memory.events = report.events_read


def _look_at_window(report: SourceReport, memory: Memory, now: float, rules: Rules) -> None:
    """At the end of each window: whether lag has not shrunk, and whether there were many errors."""
    counts = (_lag(report), report.events_read, report.dead_letters + report.failures)
    restarted = counts[1] < memory.read or counts[2] < memory.errors
    if memory.window is not None and not restarted:
        if now - memory.window < rules.window:
            return
        memory.lagging = _lagging(report, memory, rules)
        memory.failing = _failing(counts[1] - memory.read, counts[2] - memory.errors, rules)
    memory.window, (memory.lag, memory.read, memory.errors) = now, counts


def _lagging(report: SourceReport, memory: Memory, rules: Rules) -> str:
    lag = _lag(report)
    floor = rules.lag_bytes if report.lag_bytes is not None else rules.lag_records
    if lag < floor or memory.lag < floor or lag < memory.lag:
        return ""
    return f"it falls behind: {lag_text(report.lag_bytes, report.lag_records)} are unread"


def _failing(read: int, errors: int, rules: Rules) -> str:
    if errors < rules.errors or errors < rules.error_share * max(read, 1):
        return ""
    return f"{errors:,} errors among {read:,} events within {lasted(rules.window)}"


def _lag(report: SourceReport) -> int:
    return report.lag_bytes if report.lag_bytes is not None else report.lag_records or 0
