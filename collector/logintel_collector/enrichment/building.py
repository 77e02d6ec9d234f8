"""Building the enrichment that a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from logintel.config.problem import Misconfigured, Problem
from logintel.enricher import Enricher, EnricherConfig, EnricherContext
from logintel.hooks import Plugins
from logintel_collector.enrichment.enrichment import Enrichment

#: What is done where the configuration has no `enrich`: what costs little and needs no file.
DEFAULT: Final = ("geoip", "user_agent")


def enrichment_of(
    configs: Sequence[EnricherConfig] | None, plugins: Plugins, context: EnricherContext | None = None
) -> Enrichment | None:
    """None: nothing is enriched. Raises Refused where an enricher cannot work as configured."""
    if configs is None:
        configs = [plugins.enrichers[name].Config(type=name) for name in DEFAULT if name in plugins.enrichers]
    made = [_made(config, plugins, context or EnricherContext()) for config in configs]
    return Enrichment(made) if made else None


def _made(config: EnricherConfig, plugins: Plugins, context: EnricherContext) -> Enricher:
    found = plugins.enrichers.get(config.type)
    if found is None:
        message = f"its plugin is not there any more ({plugins.broken.get(config.type, 'not installed')}): install it"
        raise Misconfigured([Problem("", 0, f"enrich: {config.type}", message)])
    return found(config, context)
