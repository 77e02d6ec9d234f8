"""The built-in enrichers, as a plugin like any other."""

from __future__ import annotations

from logintel.enricher import Enricher
from logintel.hooks import hookimpl
from logintel_collector.enrichment.category import CategoryEnricher
from logintel_collector.enrichment.dns import DnsEnricher
from logintel_collector.enrichment.facts import FactsEnricher
from logintel_collector.enrichment.geoip import GeoipEnricher
from logintel_collector.enrichment.level import LevelEnricher
from logintel_collector.enrichment.redact import RedactEnricher
from logintel_collector.enrichment.template import TemplateEnricher
from logintel_collector.enrichment.user_agent import UserAgentEnricher


@hookimpl
def enrichers() -> list[type[Enricher]]:
    """The enricher types of this plugin."""
    return [
        CategoryEnricher,
        DnsEnricher,
        FactsEnricher,
        GeoipEnricher,
        LevelEnricher,
        RedactEnricher,
        TemplateEnricher,
        UserAgentEnricher,
    ]
