"""Enricher `user_agent`: which browser, system and device a user agent says it is, by the uap-core project's patterns.

https://github.com/ua-parser/uap-core
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Json
from logintel_collector.enrichment.fields import FieldPath, metadata_of, reader

if TYPE_CHECKING:
    from ua_parser import Result

#: Under which member of `metadata` it says what it knows.
USER_AGENT: Final = "ua"
#: Texts whose meaning is remembered, and what of a text is looked at.
_REMEMBERED: Final = 10_000
_LOOKED_AT: Final = 512
_SPIDER: Final = "Spider"


class UserAgentEnricher(Enricher):
    """Sets metadata.ua: browser, browser_version, os, os_version, device, and bot where it says it is one."""

    type: ClassVar[str] = "user_agent"

    class Config(EnricherConfig):
        """Which browser, system and device."""

        field: Annotated[FieldPath, Field(description="Where the user agent stands.")] = "metadata.user_agent"

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._read = reader(config.field)
        self._known: dict[str, dict[str, Json]] = {}
        self._parse: Callable[[str], Result] | None = None

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        read, known = self._read, self._known
        for event in events:
            text = read(event)
            if text.__class__ is str and text:
                client = known.get(text) or self._look(text)
                metadata_of(event).setdefault(USER_AGENT, dict(client))

    def _look(self, text: str) -> dict[str, Json]:
        if self._parse is None:
            from ua_parser import parser  # noqa: PLC0415 - 30 MB of patterns: only who has user agents needs them

            self._parse = parser.parse
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        client = self._known[text] = _said(self._parse(text[:_LOOKED_AT]))
        return client


def _said(result: Result) -> dict[str, Json]:
    """Only what is known."""
    said: dict[str, Json] = {}
    if agent := result.user_agent:
        said["browser"] = agent.family
        said["browser_version"] = _version(agent.major, agent.minor, agent.patch)
    if system := result.os:
        said["os"] = system.family
        said["os_version"] = _version(system.major, system.minor, system.patch)
    if device := result.device:
        said["device"] = device.family
        if device.family == _SPIDER:
            said["bot"] = True
    return {name: value for name, value in said.items() if value} or {"browser": "unknown"}


def _version(*parts: str | None) -> str:
    return ".".join(part for part in parts if part)
