"""The verdict: events that were sent, compared as sets with documents, rows, dead letters and what rules have counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from faults.history import History
from faults.lines import Line

from collector_faults.findings import Findings

#: Lines of each fault of ours that are told one by one.
_TOLD = 12
#: How the names of writers begin whose events went past the processor.
STRAY = "stray"


@dataclass(frozen=True)
class Stage:
    """What came into a stage, against what it stored and what it gave up: `letters`."""

    name: str
    sent: frozenset[Line]
    stored: Counter[Line]
    letters: frozenset[Line]

    @property
    def missing(self) -> set[Line]:
        """Neither stored nor a dead letter."""
        return set(self.sent - self.stored.keys() - self.letters)

    @property
    def doubled(self) -> set[Line]:
        """Stored more than once."""
        return {line for line, count in self.stored.items() if count > 1}

    @property
    def both(self) -> set[Line]:
        """Stored, and a dead letter as well."""
        return set(self.stored.keys() & self.letters)

    @property
    def unsent(self) -> set[Line]:
        """Stored or a dead letter, though nobody sent it here."""
        return set((self.stored.keys() | self.letters) - self.sent)

    @property
    def clean(self) -> bool:
        """Whether in = stored + dead letters, each once."""
        return not (self.missing or self.doubled or self.both or self.unsent)

    def report(self, history: History) -> Iterator[str]:
        """For a person."""
        parts = {"missing": self.missing, "twice": self.doubled, "both": self.both, "never sent": self.unsent}
        counts = ", ".join(f"{name} {len(lines)}" for name, lines in parts.items())
        yield f"{self.name}: {len(self.sent):,} in, {len(self.stored):,} stored, {len(self.letters):,} letters; {counts}"
        for name, lines in parts.items():
            for line in sorted(lines)[:_TOLD]:
                yield f"  {name}: {history.around(line) if line in self.sent else line}"


@dataclass(frozen=True)
class Verdict:
    """`counted`: by writer what the rule counted, against `watched`; `untold`: notifications that some channel lacks."""

    stages: tuple[Stage, ...]
    watched: dict[str, int]
    counted: dict[str, int]
    untold: frozenset[str]
    nameless: int
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether the promise was held."""
        return all(s.clean for s in self.stages) and self.watched == self.counted and not (self.untold or self.nameless)

    def report(self, history: History) -> Iterator[str]:
        """For a person."""
        for stage in self.stages:
            yield from stage.report(history)
        yield f"rule counted {sum(self.counted.values()):,} of {sum(self.watched.values()):,} events"
        if self.counted != self.watched:
            yield f"  WRONG: {self.counted} instead of {self.watched}"
        yield f"notifications not told: {len(self.untold)}; dead letters without a mark: {self.nameless}"
        yield from (f"{count:6} {name}" for name, count in sorted(self.notes.items()))


def stages_of(
    sent: Collection[Line], findings: Findings, documents: Counter[Line], rows: Counter[Line]
) -> tuple[Stage, ...]:
    """The three comparisons."""
    strays = frozenset(line for line in sent if line.writer.startswith(STRAY))
    through = frozenset(sent) - strays
    processed = Counter({line: count for line, count in findings.processed.items() if line not in strays})
    letters = {stage: frozenset(lines) for stage, lines in findings.letters.items()}
    nothing: frozenset[Line] = frozenset()
    passed = frozenset(processed) | strays
    return (
        Stage("log-processing", through, processed, letters.get("processor", nothing)),
        Stage("Elasticsearch", passed, documents, letters.get("indexer", nothing)),
        Stage("PostgreSQL", passed, rows, letters.get("recorder", nothing)),
    )
