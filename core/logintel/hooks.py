"""Hooks: how plugins are found and what they register.

A plugin is a module named by an entry point of group `logintel.plugins`. Built-in ones are found the same way. Hooks
are called once, at start-up, to get classes; nothing is called per event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import pluggy
import structlog

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


@dataclass(frozen=True, slots=True)
class Plugins:
    """What the installed plugins offer. `broken` maps a plugin's name to why it was left out."""

    sources: dict[str, type[Source]] = field(default_factory=dict)
    formats: FormatRegistry = field(default_factory=FormatRegistry)
    broken: dict[str, str] = field(default_factory=dict)


def load_plugins(points: list[EntryPoint] | None = None) -> Plugins:
    """Load every plugin by name, each on its own: a broken one is reported and left out, the others work.

    A second plugin that offers a type or format name already taken is reported as broken as well.
    """
    sources: dict[str, type[Source]] = {}
    formats: dict[str, type[Format]] = {}
    broken: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: p.name):
        try:
            offered_sources, offered_formats = _offer(point)
            _refuse_taken({s.type for s in offered_sources} & sources.keys(), "source type")
            _refuse_taken({f.name for f in offered_formats} & formats.keys(), "format")
        except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises must not stop the others
            broken[point.name] = f"{type(error).__name__}: {error}"
            _log.error("plugin_left_out", plugin=point.name, reason=broken[point.name])
            continue
        sources.update({s.type: s for s in offered_sources})
        formats.update({f.name: f for f in offered_formats})
    return Plugins(sources, FormatRegistry(formats), broken)


def _offer(point: EntryPoint) -> tuple[list[type[Source]], list[type[Format]]]:
    """What one plugin registers; raises whatever its import or its hooks raise."""
    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(point.load(), name=point.name)
    manager.check_pending()
    return (
        [cls for offered in manager.hook.source_types() for cls in offered],
        [cls for offered in manager.hook.formats() for cls in offered],
    )


def _refuse_taken(names: set[str], kind: str) -> None:
    if names:
        raise ValueError(f"{kind} {', '.join(sorted(names))} is already provided by another plugin")
