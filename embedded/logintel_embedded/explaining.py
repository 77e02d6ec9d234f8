"""Explaining: the way of a line from source to document, stage by stage; what a stage changed is of that stage."""

from __future__ import annotations

import asyncio
import copy
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from logintel.batch import Batch
from logintel.bus import Stored
from logintel.config.process import ProcessConfig
from logintel.enricher import EnricherContext
from logintel.event import Envelope, Event, Json, decode
from logintel.formats import decode_records
from logintel.hooks import Plugins
from logintel.inputs.files import TextFilesConfig
from logintel.inputs.files.records import records
from logintel.inputs.files.text import codec_of
from logintel.source import envelope
from logintel_agent.config import AgentConfig
from logintel_agent.mark import Mark
from logintel_agent.outgoing import Outgoing, outgoing
from logintel_agent.processing.processing import Processing
from logintel_agent.processing.redaction import KEY_FILE
from logintel_collector.config import CollectorConfig
from logintel_collector.enrichment.building import enrichment_of
from logintel_collector.enrichment.enrichment import Enrichment
from logintel_collector.enrichment.outcome import Withheld
from logintel_collector.processor import Processor
from logintel_collector.rules.loading import load_rules

#: Members that hold fields of their own, each with an origin.
_SECTIONS: Final = ("metadata", "parsed_fields")
#: What the agent itself says of every event.
_AGENT: Final = frozenset(("log_id", "source_id", "metadata.timestamp_from"))


class BothEnds(AgentConfig, CollectorConfig):
    """Top-level keys of the agent and of the collector."""


@dataclass(slots=True)
class Explanation:
    """What becomes of one event.

    lines     (first, last) line of its record, from 1
    format    that decoded it
    dropped   why the agent does not send it, or the processor keeps it as a dead letter; None: it becomes a document
    document  of the index; empty where it is dropped by the agent
    origins   path of each field → the stage that said so, or said so last
    failed    enrichers that failed on it
    day       of its index, YYYY.MM.DD; None: the index of outliers
    rules     name of each rule → whether its query matches
    """

    lines: tuple[int, int]
    format: str
    dropped: str | None = None
    document: dict[str, Json] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    day: str | None = None
    rules: dict[str, bool] = field(default_factory=dict)


class Explainer:
    """Explains lines of one source. Nothing is stored or sent, and no state is kept."""

    def __init__(
        self, agent: AgentConfig, collector: CollectorConfig, source: TextFilesConfig, plugins: Plugins, now: datetime
    ) -> None:
        """Raises Refused where an enricher cannot work as configured."""
        self._agent, self._collector, self._source, self._now = agent, collector, source, now
        self._formats = plugins.formats
        self._host_local = plugins.sources[source.type].host_local
        self._enrichment = enrichment_of(collector.enrich, plugins, EnricherContext(lambda: now, read_only=True))

    def explain(self, text: str) -> Iterator[Explanation]:
        """What becomes of each event of the records in `text`."""
        data = text.encode("utf-8", "surrogateescape")
        form = self._source.form(self._formats)
        framing = self._source.framing()
        while data:
            stretch = records(data, 0, codec_of(data, None), framing() if framing else form.framer(), final=True)
            events, numbers = decode_records(form, stretch.texts, self._source.reading(self._now))
            for event, number in zip(events, numbers, strict=True):
                first, last = stretch.lines[number] if stretch.lines else (number, number)
                yield self._explained(event, (first + 1, last + 1))
            data = data[stretch.used :]

    def _explained(self, event: Event, lines: tuple[int, int]) -> Explanation:
        found = Explanation(lines, event.format)
        read = self._sent(copy.deepcopy(event), None)
        self._say_origins(found, decode(read.records[0].value), event.format)
        sent = self._processed(event)
        if not sent.records:
            found.dropped = sent.dropped[0].reason
            return found
        record = sent.records[0]
        said = decode(record.value)
        _note(found.origins, decode(read.records[0].value), said, f"process of source {self._source.name}")
        stage = Processor(lambda: self._now).process([Stored(0, record)], {})
        if stage.dead_letters:
            found.dropped = stage.dead_letters[0].reason
            return found
        document = stage.documents[0]
        _note(found.origins, said, document.source, "collector")
        found.document, found.day = document.source, document.day
        self._enrich(found)
        found.rules = dict(self._rules(found.document))
        found.origins = {path: found.origins[path] for path in _flat(found.document)}
        return found

    def _say_origins(self, found: Explanation, said: Mapping[str, Json], format_: str) -> None:
        about = f"source {self._source.name}"
        ours = {f"metadata.{name}" for name in self._envelope().metadata}
        values = _flat(said)
        for path in values:
            found.origins[path] = about if path in ours else "agent" if path in _AGENT else f"format {format_}"
        if self._source.tags:
            found.origins["tags"] = about
        if values.get("metadata.timestamp_from") != "record":
            found.origins["timestamp"] = "agent"

    def _enrich(self, found: Explanation) -> None:
        """One enricher after the other, each as the processor calls it."""
        for place, enricher in enumerate(self._enrichment.enrichers if self._enrichment else ()):
            before = copy.deepcopy(found.document)
            events = [copy.deepcopy(before)]
            alone = Enrichment([enricher])
            asyncio.run(alone.prepare(events))
            outcome = alone.enrich(events, lambda _, before=before: copy.deepcopy(before))  # type: ignore[misc]
            found.failed += [enricher.type] if outcome.unenriched else []
            if isinstance(body := outcome.bodies[0], Exception):
                found.dropped = body.reason if isinstance(body, Withheld) else str(body)
                return
            _note(found.origins, before, events[0], f"enrich[{place}] {enricher.type}")
            found.document = events[0]

    def _rules(self, document: dict[str, Json]) -> Iterator[tuple[str, bool]]:
        if self._collector.rules_dir is None:
            return
        rules, _ = load_rules(self._collector.rules_dir, self._collector.installation, lambda: self._now)
        for rule in rules:
            yield rule.name, rule.predicate(document)

    def _processed(self, event: Event) -> Outgoing:
        process, redaction = self._source.process, self._agent.agent.redaction
        if process is None and not redaction.rules:
            return self._sent(event, None)
        with tempfile.TemporaryDirectory(prefix="logintel-explain-") as scratch:
            directory = self._agent.agent.data_dir
            if not (redaction.key or (directory / KEY_FILE).exists()):  # else one would be made and kept
                redaction = redaction.model_copy(update={"key": SecretStr(secrets.token_hex(32))})
            steps = process or ProcessConfig()
            return self._sent(event, Processing(self._source.name, steps, redaction, directory, Path(scratch)))

    def _sent(self, event: Event, processing: Processing | None) -> Outgoing:
        received = f"{self._now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        mark = Mark(bytes(16).hex(), None, 0, received, "received")
        return outgoing(Batch([event], None, "explain"), mark, self._envelope(), processing)

    def _envelope(self) -> Envelope:
        return envelope(self._source, self._agent.installation, host_local=self._host_local)


def _flat(document: Mapping[str, Json]) -> dict[str, Json]:
    """Path → value; members of metadata and parsed_fields stand alone."""
    values: dict[str, Json] = {}
    for name, value in document.items():
        if name in _SECTIONS and isinstance(value, dict):
            values |= {f"{name}.{inner}": found for inner, found in value.items()}
        else:
            values[name] = value
    return values


def _note(origins: dict[str, str], before: Mapping[str, Json], after: Mapping[str, Json], stage: str) -> None:
    """Note `stage` as the origin of what it added or changed, and forget what it took away."""
    old, new = _flat(before), _flat(after)
    origins.update({path: stage for path, value in new.items() if path not in old or old[path] != value})
    for path in old.keys() - new.keys():
        origins.pop(path, None)
