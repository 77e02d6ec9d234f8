"""Enricher `template`: what lines have in common, with `<*>` for what varies: `connection from <*> closed`.

What varies by its own form (numbers, addresses, ids) is masked in each line alone. What else varies is learned from
many lines (Drain) and is told from the next model on: the template of an event follows from it and the model alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, ClassVar, Final

import structlog
from pydantic import Field, field_validator

from logintel.config.section import DataPath
from logintel.duration import Duration
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Json
from logintel_collector.enrichment.drain import WILDCARD, Drain, Model, Tokens, read_model, write_model
from logintel_collector.enrichment.fields import metadata_of

#: Characters and words of a message that are looked at, and messages whose template is remembered.
_LOOKED_AT: Final = 1000
_WORDS: Final = 100
_REMEMBERED: Final = 20_000
#: Lines that are learned from between two models.
_LEARNED: Final = 20_000
#: What varies by its form: UUIDs, addresses, hashes, numbers with their units, quoted texts.
_VARIABLE: Final = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        [0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}
      | 0x[0-9A-Fa-f]++
      | [0-9A-Fa-f]{12,}+
      | [-+]?[0-9]++(?:[.,:/-][0-9]++)*+(?:[a-zA-Zµ%]{1,3})?+
    )(?![A-Za-z0-9])
    | "[^"]{1,200}+" | '[^']{1,200}+'""",
    re.VERBOSE,
)
_log = structlog.get_logger(__name__)


class TemplateEnricher(Enricher):
    """Sets metadata.template: `text`, and `id`, which is the text's hash: the same wherever it is found."""

    type: ClassVar[str] = "template"

    class Config(EnricherConfig):
        """What lines have in common."""

        state: Annotated[
            DataPath, Field(description="Where what was learned is kept, relative to the data directory.")
        ] = Path("templates.json")
        max_templates: Annotated[
            int, Field(ge=1, le=100_000, description="Learned templates; the least used give way.")
        ] = 5000
        similarity: Annotated[
            float, Field(gt=0, le=1, description="Part of the words that lines of one template share.")
        ] = 0.6
        interval: Annotated[Duration, Field(description="How often what was learned becomes the model.")] = Duration(
            "60s"
        )

        @field_validator("interval")
        @classmethod
        def _positive(cls, value: Duration) -> Duration:
            if value < 1:
                raise ValueError("expected at least 1s")
            return value

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._config = config
        self._drain = Drain(config.max_templates, config.similarity)
        self._drain.load(read_model(config.state))
        self._learned: set[str] = set()
        self._model = Model(self._drain.templates())
        self._published = time.monotonic()
        self._known: dict[str, tuple[str, str]] = {}

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        if time.monotonic() - self._published >= self._config.interval and not self.context.read_only:
            self.publish()
        known = self._known
        for event in events:
            message = event["message"]
            assert isinstance(message, str)
            found = known.get(message) or self._look(message)
            template: dict[str, Json] = {"id": found[0], "text": found[1]}
            metadata_of(event).setdefault("template", template)

    def publish(self) -> None:
        """What was learned so far becomes the model, and is kept; a directory that cannot be written costs a restart's
        learning only."""
        self._published = time.monotonic()
        if not self._learned:
            return
        self._learned.clear()
        templates = self._drain.templates()
        if templates == self._model.templates:
            return
        self._model = Model(templates)
        self._known.clear()
        try:
            write_model(self._config.state, self._drain.dump())
        except OSError as error:
            _log.warning(
                "templates_not_kept", path=str(self._config.state), reason=error.strerror,
                effect="they are learned again after a start", remedy="make room, or name another file as `state`",
            )  # fmt: skip

    def _look(self, message: str) -> tuple[str, str]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        masked = mask(message)
        words: Tokens = tuple(masked.split(" ", _WORDS))
        text = self._model.text(words)
        if text is None:
            text = masked
            if masked not in self._learned and len(self._learned) < _LEARNED:
                self._learned.add(masked)
                self._drain.learn(words)
        found = self._known[message] = template_id(text), text
        return found


def mask(message: str) -> str:
    """The first line of a message, with `<*>` for what varies by its form."""
    line = message[:_LOOKED_AT].partition("\n")[0]
    return " ".join(_VARIABLE.sub(WILDCARD, line).split())


@lru_cache(maxsize=10_000)
def template_id(text: str) -> str:
    """12 hex digits."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
