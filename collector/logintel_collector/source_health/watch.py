"""The watch: all agents' newest heartbeats, and from them the health of each source on each host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from logintel_collector.source_health import ORDER, Health
from logintel_collector.source_health.clock import BrokerClock
from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.report import Heartbeat, SourceReport, reports
from logintel_collector.source_health.rules import Rules, expected_quiet, judge, settle

#: Workers that are watched at most, of all agents: about 2 KiB each and 1 KiB for each of their sources.
WORKERS: Final = 20_000
REMOVED: Final = "no configuration has it any more"
_log = structlog.get_logger(__name__)

#: (source id, host)
Key = tuple[str, str]


class Change(NamedTuple):
    """What has changed with one source on one host."""

    source: str
    host: str
    was: Health | None
    now: Health
    reason: str


class State(NamedTuple):
    """A row of table source_health, and what its log_sources row is to say. `heard_at`: seconds since 1970."""

    id: str
    host: str
    name: str
    type: str
    is_active: bool
    health: Health
    reason: str
    changed_at: float
    heard_at: float
    detail: Mapping[str, Any]
    memory: Mapping[str, Any]
    description: str | None
    configuration: Mapping[str, Any] | None


class Findings(NamedTuple):
    """What is to be stored: all that was judged, and what no configuration has any more, for this reason."""

    states: Sequence[State]
    removed: Sequence[Key]
    reason: str


@dataclass(slots=True)
class Watch:
    """Told of records with `hear`. `memories`: of what was judged before, by (source id, host)."""

    memories: dict[Key, Memory] = field(default_factory=dict)
    clock: BrokerClock = field(default_factory=BrokerClock)
    rules: Rules = field(default_factory=Rules)
    _beats: dict[tuple[str, str], Heartbeat] = field(default_factory=dict)
    _described: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _reports: dict[Key, SourceReport] = field(default_factory=dict)
    _full: bool = False

    def hear(self, host: str, worker: str, kind: str, values: Mapping[str, Any] | None, at: float | None) -> None:
        """A record of a worker, kind `agent` or `config`. `at`: seconds since 1970, by the broker's clock; None: its
        topic has only the sender's, so now. `values` None: the worker is no more."""
        if at is not None:
            self.clock.heard(at)
        key = (host, worker)
        if values is None:
            (self._beats if kind == "agent" else self._described).pop(key, None)
        elif kind == "config":
            self._described[key] = values
        elif key in self._beats or len(self._beats) < WORKERS:
            self._beats[key] = Heartbeat(host, worker, self.clock.now() if at is None else at, values)
        elif not self._full:
            self._full = True
            _log.error("too_many_agents", most=WORKERS, effect="the health of further ones is not watched")

    def judge(self) -> list[Change]:
        """Bring all of it up to now; what has changed."""
        now, before = self.clock.now(), {key: memory.health for key, memory in self.memories.items()}
        names = {key: report.name for key, report in self._reports.items()}
        self._reports = reports(list(self._beats.values()))
        for key, report in self._reports.items():
            memory = self.memories.setdefault(key, Memory())
            if now - report.at > self.rules.forgotten:
                settle(memory, ("unknown", "nothing was heard of its agent for a month"), now, self.rules)
            else:
                judge(report, memory, now, self.clock.listened, self.rules)
        for key, memory in self.memories.items():
            if key not in self._reports and self._is_removed(key[1], now):
                settle(memory, ("unknown", REMOVED), now, self.rules)
        names |= {key: report.name for key, report in self._reports.items()}
        return [
            Change(names.get(key, key[0]), key[1], before.get(key), memory.health, memory.reason)
            for key, memory in self.memories.items()
            if memory.health is not None and memory.health != before.get(key)
        ]

    def findings(self) -> Findings:
        """As the last judgement left it."""
        now = self.clock.now()
        removed = [key for key in self.memories if key not in self._reports and self._is_removed(key[1], now)]
        return Findings(list(self._states()), removed, REMOVED)

    def _states(self) -> Iterator[State]:
        now = self.clock.now()
        about = self._about()
        for (source_id, host), report in self._reports.items():
            memory = self.memories[source_id, host]
            facts, described = about.get((source_id, host), ({}, {}))
            detail = {**report.detail(), "expected_quiet": expected_quiet(report, memory, self.rules)}
            yield State(
                id=source_id,
                host=host,
                name=report.name,
                type=report.type,
                is_active=now - report.at <= self.rules.forgotten,
                health=memory.health or "unknown",
                reason=memory.reason,
                changed_at=memory.since,
                heard_at=report.at,
                detail=detail,
                memory=memory.as_json(),
                description=described.get("description"),
                configuration={**described.get("configuration", {}), "host_facts": facts} if described else None,
            )

    def counts(self) -> dict[Health, int]:
        """Sources on hosts, by their health; those that were removed are not counted."""
        healths = [self.memories[key].health or "unknown" for key in self._reports]
        return {health: healths.count(health) for health in ORDER}

    def _is_removed(self, host: str, now: float) -> bool:
        beats = [beat for beat in self._beats.values() if beat.host == host]
        heard = any(now - beat.at <= self.rules.silent and not beat.stopped for beat in beats)
        return heard and not any(beat.values.get("sources_left_out") for beat in beats)

    def _about(self) -> dict[Key, tuple[Mapping[str, Any], dict[str, Any]]]:
        """What agents say of their hosts and sources."""
        return {
            (str(source["id"]), host): (values.get("host_facts", {}), source)
            for (host, _worker), values in self._described.items()
            for source in values.get("sources", ())
        }
