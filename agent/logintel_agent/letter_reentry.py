"""Re-entry: what a letter's event is when it goes on from the stage that refused it, under the configuration of now."""

from __future__ import annotations

from typing import Final

from logintel.config.process import AGENTS_OWN, Redact
from logintel.event import MAX_ENCODED
from logintel.letter_box import StaysHere
from logintel_agent.config import AgentConfig
from logintel_agent.dead_letters import REFUSED
from logintel_agent.kept_letter import Kept
from logintel_agent.outgoing import TOO_LONG
from logintel_agent.processing.redaction import FAILED, OVERRUN, Redaction
from logintel_agent.processing.work import Work

_HELD_BACK: Final = frozenset((OVERRUN, FAILED))


class Reentry:
    """What may be sent of letters, as `config` says it now."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._redactions: dict[str, Redaction] = {}

    def value(self, kept: Kept) -> bytes:
        """The event as it is sent. Raises StaysHere; Refused when the redaction's key cannot be used."""
        letter = kept.letter
        if letter.reason == REFUSED:
            return letter.original
        if letter.reason in _HELD_BACK:
            return self._redacted(kept)
        if letter.reason == TOO_LONG:
            raise StaysHere("the event was sent cut, under the same id; this is the whole, which the bus does not take")
        raise StaysHere(f"this logintel does not know how to go on from stage {letter.stage}: `show` has the text")

    def _redacted(self, kept: Kept) -> bytes:
        work = Work([kept.letter.original], [kept.letter.seq])
        self._redaction(kept.source).redact(work, work.values, AGENTS_OWN)
        if work.dropped:
            raise StaysHere("it was held back again: mend the rule, or raise agent.redaction.budget")
        if len(work.values[0]) > MAX_ENCODED:
            raise StaysHere(f"redacted it is longer than {MAX_ENCODED} bytes, which the bus does not take")
        return work.values[0]

    def _redaction(self, name: str) -> Redaction:
        if name not in self._redactions:
            rules = self._rules(name)
            if not rules:  # it was held back for what may be in it: no rules are no permission
                raise StaysHere(f"no redaction rule is configured for source {name} any more: configure one")
            agent = self._config.agent
            self._redactions[name] = Redaction(rules, agent.redaction, agent.data_dir)
        return self._redactions[name]

    def _rules(self, name: str) -> Redact:
        for source in self._config.sources:
            if source.name == name:
                own = source.process.redact if source.process else ()
                return (*self._config.agent.redaction.rules, *own)
        raise StaysHere(f"the configuration has no source {name}: it is not known how to redact it")
