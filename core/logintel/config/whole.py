"""The whole configuration: the keys of every installed component, and how to show it without secrets."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Final

from pydantic import create_model

from logintel.config.load import Loaded
from logintel.config.reference import References
from logintel.config.shared import SharedConfig
from logintel.refused import Refused

#: Entry points of this group name the models of components: subclasses of SharedConfig.
GROUP: Final = "logintel.config"


def components() -> tuple[type[SharedConfig], ...]:
    """The installed components' models. Raises Refused."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.append(point.load())
        except ImportError as error:
            raise Refused(
                f"the configuration of {point.name} cannot be loaded ({error}): is it installed whole?"
            ) from error
    return tuple(found)


def whole_model() -> type[SharedConfig]:
    """One model with the keys of all components, as `run --config` takes them."""
    return create_model("Config", __base__=components(), __doc__="Configuration of logintel.")


def shown(loaded: Loaded[Any]) -> dict[str, Any]:
    """The configuration in effect as plain values; what came from a reference is shown as the reference."""
    values: dict[str, Any] = loaded.config.model_dump(mode="json")
    for key, written in loaded.references.written.items():
        parent: Any = values
        for step in key[:-1]:
            parent = parent[step]
        parent[key[-1]] = written
        if isinstance(parent, list):
            # A model may have sorted what was a list.
            parent[:] = [_hidden(item, loaded.references) for item in parent]
    return values


def _hidden(item: Any, references: References) -> Any:
    return references.hide(item) if isinstance(item, str) and item not in references.written.values() else item
