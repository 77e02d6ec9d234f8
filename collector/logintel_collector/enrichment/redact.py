"""Enricher `redact`: takes out secrets and personal data that agents left in, by the agents' rules and receipts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final

import orjson
from pydantic import Field, SecretStr, field_validator

from logintel.config.process import AGENTS_OWN, Redact, long_enough
from logintel.config.section import DataPath
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.redaction.receipts import Receipts, kept_key
from logintel.redaction.redactor import Redactor
from logintel.redaction.rules import rules_of
from logintel_collector.enrichment.geoip import GEO
from logintel_collector.enrichment.user_agent import USER_AGENT

#: Metadata that says nothing of an event's own: what the agent and other enrichers say.
_OURS: Final = AGENTS_OWN | {GEO, USER_AGENT}
#: A key for who only looks: his receipts are thrown away.
_NO_KEY: Final = bytes(32)


class RedactEnricher(Enricher):
    """Replaces secrets by receipts. An event that cannot be searched to its end does not go on."""

    type: ClassVar[str] = "redact"
    fails_closed: ClassVar[bool] = True

    class Config(EnricherConfig):
        """What is redacted."""

        rules: Annotated[Redact, Field(min_length=1, description="Sets and rules: secrets, personal, ipv4 … or own.")]
        key: Annotated[
            SecretStr | None,
            Field(description="Key of the hashes, best the agents' as ${file:PATH}; by default one is made and kept."),
        ] = None
        key_file: Annotated[
            DataPath, Field(description="Where a key that is made is kept, relative to the data directory.")
        ] = Path("redaction.key")

        _long_enough = field_validator("key")(long_enough)

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        if config.key:
            key = config.key.get_secret_value().strip().encode()
        else:
            key = _NO_KEY if context.read_only and not config.key_file.exists() else kept_key(config.key_file)
        self.redactor = Redactor(rules_of(config.rules), Receipts(key))

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        said = [_said(event) for event in events]
        for place in self.redactor.suspects(said):
            event = events[place]
            if self.redactor.event(event, said[place], _OURS):
                event["size_bytes"] = len(str(event["raw_log"]).encode())


def _said(event: Enriched) -> bytes:
    """All that an event says, as short as it can be: the redactor looks for signs of secrets in it."""
    raw, message = event["raw_log"], event["message"]
    assert isinstance(raw, str)
    assert isinstance(message, str)
    rest = orjson.dumps((event["metadata"], event["parsed_fields"], event["tags"]))
    return b'"raw_log":"%b"\n%b\n%b' % (_bytes(raw), b"" if message in raw else _bytes(message), rest)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
