"""Hooks: how plugins are found and what they register.

A plugin is a module named by an entry point of group `logintel.plugins`. Built-in ones are found the same way. Hooks
are called once, at start-up, to get classes; nothing is called per event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Final, NamedTuple

import pluggy
import structlog

from logintel.enricher import Enricher
from logintel.formats import Format, FormatRegistry
from logintel.source import Source

GROUP: Final = "logintel.plugins"
_PROJECT: Final = "logintel"

hookspec = pluggy.HookspecMarker(_PROJECT)
hookimpl = pluggy.HookimplMarker(_PROJECT)
_log = structlog.get_logger(__name__)


class Hooks:
    """What a plugin may define; each is optional."""

    @hookspec
    def source_types(self) -> list[type[Source]]:
        """Source classes of this plugin."""
        raise NotImplementedError

    @hookspec
    def formats(self) -> list[type[Format]]:
        """Format classes of this plugin."""
        raise NotImplementedError

    @hookspec
    def enrichers(self) -> list[type[Enricher]]:
        """Enricher classes of this plugin."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Plugins:
    """What the installed plugins offer. `broken` maps a plugin's name to why it was left out."""

    sources: dict[str, type[Source]] = field(default_factory=dict)
    formats: FormatRegistry = field(default_factory=FormatRegistry)
    enrichers: dict[str, type[Enricher]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def load_plugins(points: list[EntryPoint] | None = None) -> Plugins:
    """Load every plugin by name, each on its own: a broken one is reported and left out, the others work.

    A second plugin that offers a type or format name already taken is reported as broken as well.
    """
    sources: dict[str, type[Source]] = {}
    formats: dict[str, type[Format]] = {}
    enrichers: dict[str, type[Enricher]] = {}
    broken: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: p.name):
        try:
            offer = _offer(point)
            _refuse_taken(offer.sources.keys() & sources.keys(), "source type")
            _refuse_taken(offer.formats.keys() & formats.keys(), "format")
            _refuse_taken(offer.enrichers.keys() & enrichers.keys(), "enricher type")
        except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises must not stop the others
            broken[point.name] = f"{type(error).__name__}: {error}"
            _log.error("plugin_left_out", plugin=point.name, reason=broken[point.name])
            continue
        sources.update(offer.sources)
        formats.update(offer.formats)
        enrichers.update(offer.enrichers)
    return Plugins(sources, FormatRegistry(formats), enrichers, broken)


class _Offer(NamedTuple):
    sources: dict[str, type[Source]]
    formats: dict[str, type[Format]]
    enrichers: dict[str, type[Enricher]]


def _offer(point: EntryPoint) -> _Offer:
    """What one plugin registers; raises whatever its import or its hooks raise."""
    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(point.load(), name=point.name)
    manager.check_pending()
    hook = manager.hook
    return _Offer(
        {cls.type: cls for offered in hook.source_types() for cls in offered},
        {cls.name: cls for offered in hook.formats() for cls in offered},
        {cls.type: cls for offered in hook.enrichers() for cls in offered},
    )


def _refuse_taken(names: set[str], kind: str) -> None:
    if names:
        raise ValueError(f"{kind} {', '.join(sorted(names))} is already provided by another plugin")
