"""The report: what one host's agent says of one source, its workers taken together (keys: docs/ledger.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Streams and troubles of a source that are kept.
_MOST: Final = 5


class Heartbeat(NamedTuple):
    """The newest of one worker. `at`: when the broker took it, seconds since 1970."""

    host: str
    worker: str
    at: float
    values: Mapping[str, Any]

    @property
    def stopped(self) -> bool:
        """Whether it was its last."""
        return bool(self.values.get("stopped"))

    @property
    def config(self) -> str:
        """Version of the configuration in effect."""
        return str(self.values.get("config_version", ""))


@dataclass(slots=True)
class SourceReport:
    """Of the source with the id `id`, as its workers on `host` say; counts are since the agent's start.

    ats      when each worker was last heard (seconds since 1970), and `stopped`, those that said it was their last time
    behind   what is to be read, and in which unit; None: nobody can tell
    silence  seconds without an event after which it is to be taken for silent; None: not configured
    """

    id: str
    name: str
    type: str
    host: str
    ats: dict[str, float] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    bus_trouble: str | None = None
    events_read: int = 0
    events_sent: int = 0
    dead_letters: int = 0
    failures: int = 0
    streams: int = 0
    lag_bytes: int | None = None
    lag_records: int | None = None
    waits_for: float | None = None
    last_event: str | None = None
    last_read: str | None = None
    last_error: Mapping[str, Any] | None = None
    silence: float | None = None
    worst: list[Mapping[str, Any]] = field(default_factory=list)
    troubles: list[Mapping[str, Any]] = field(default_factory=list)
    troubled: int = 0
    version: str = ""
    config_version: str = ""

    @property
    def at(self) -> float:
        """When any worker was last heard."""
        return max(self.ats.values())

    @property
    def finished(self) -> bool:
        """Whether a run that ends has read all of it."""
        return self.states == {"finished"}

    def add(self, beat: Heartbeat, said: Mapping[str, Any]) -> None:
        """What one worker says of the source. Keys that an older agent does not send count as nothing."""
        self.ats[beat.worker] = beat.at
        if beat.stopped:
            self.stopped.add(beat.worker)
        self.states.add(str(said.get("state", "running")))
        self.bus_trouble = self.bus_trouble or (beat.values.get("bus") or {}).get("trouble")
        for key in ("events_read", "events_sent", "dead_letters", "failures", "streams"):
            setattr(self, key, getattr(self, key) + int(said.get(key) or 0))
        for key in ("lag_bytes", "lag_records"):
            if said.get(key) is not None:
                setattr(self, key, (getattr(self, key) or 0) + int(said[key]))
        for key in ("waits_for", "last_event", "last_read", "silence"):
            known, new = getattr(self, key), said.get(key)
            setattr(self, key, known if new is None else new if known is None else max(known, new))
        self.last_error = said.get("last_error") or self.last_error
        self.worst = sorted((*self.worst, *said.get("worst", ())), key=lambda each: -int(each["behind"]))[:_MOST]
        told = {str(each["what"]): each for each in (*self.troubles, *said.get("troubles", ()))}
        self.troubles, self.troubled = list(told.values())[:_MOST], max(self.troubled, int(said.get("troubled") or 0))
        self.version = str(beat.values.get("version", ""))
        self.config_version = beat.config

    def detail(self) -> dict[str, Any]:
        """What is kept of it for people, as JSON."""
        keys = (
            "events_read", "events_sent", "dead_letters", "failures", "streams", "lag_bytes", "lag_records",
            "last_event", "last_read", "last_error", "worst", "troubles", "troubled", "version", "config_version",
        )  # fmt: skip
        return {**{key: getattr(self, key) for key in keys}, "workers": len(self.ats)}


def reports(beats: Sequence[Heartbeat]) -> dict[tuple[str, str], SourceReport]:
    """By (source id, host). A worker of before the host's configuration changed is no more, and left out."""
    newest: dict[str, Heartbeat] = {}
    for beat in beats:
        if beat.host not in newest or newest[beat.host].at < beat.at:
            newest[beat.host] = beat
    found: dict[tuple[str, str], SourceReport] = {}
    for beat in beats:
        if beat.config != newest[beat.host].config and beat is not newest[beat.host]:
            continue
        for said in _with_id(beat.values.get("sources", ())):
            key = (str(said["id"]), beat.host)
            report = found.setdefault(
                key, SourceReport(key[0], str(said.get("name", "")), str(said.get("type", "custom")), beat.host)
            )
            report.add(beat, said)
    return found


def _with_id(sources: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    """An agent of before there were ids says nothing that could be told of a row."""
    return (each for each in sources if isinstance(each, dict) and _ID.fullmatch(str(each.get("id"))))
