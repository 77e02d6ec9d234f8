"""The plan of a reload: what another configuration starts, stops, changes and leaves alone, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from logintel.config.section import Section
from logintel.source import SourceConfig
from logintel_agent.config import AgentConfig

#: Top-level keys that a running agent keeps: what it has sent, where it keeps its state and how many share it.
FIXED: Final = ("installation", "bus", "agent", "monitor")
#: The one key of the agent's section that concerns each source instead.
_REDACTION: Final = "agent.redaction"


@dataclass(frozen=True, slots=True)
class Plan:
    """Names of sources by what happens to them.

    changed  name → the keys that differ
    risks    what a person should know before it is done, one sentence each
    fixed    keys that differ and need a restart of the agent: with any of these the reload is refused
    """

    added: list[str]
    removed: list[str]
    changed: dict[str, list[str]]
    kept: list[str]
    risks: list[str]
    fixed: list[str]

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, Any]:
        """For answers and the status."""
        return asdict(self)


def plan(old: AgentConfig, new: AgentConfig, streams: Callable[[str], int]) -> Plan:
    """What putting `new` into effect does. `streams`: how many a source of that name has cursors for."""
    before, after = ({source.name: source for source in config.sources} for config in (old, new))
    everywhere = _everywhere(old, new)
    changed = {name: [*_differing(before[name], after[name]), *everywhere] for name in after if name in before}
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    return Plan(
        added=added,
        removed=removed,
        changed={name: keys for name, keys in changed.items() if keys},
        kept=[name for name, keys in changed.items() if not keys],
        risks=[
            *_renamed([after[name] for name in added], [before[name] for name in removed], streams),
            *_other_identity(changed, streams),
            *(
                f"{name} is removed: its cursors ({streams(name)} streams) are kept for when it comes back"
                for name in removed
                if streams(name)
            ),
        ],
        fixed=[name for name in FIXED for name in _fixed(name, old, new)],
    )


def _everywhere(old: AgentConfig, new: AgentConfig) -> list[str]:
    """Keys beside the sources that differ and concern each of them."""
    names = [name for name in type(new).model_fields if name not in (*FIXED, "sources")]
    keys = [name for name in names if getattr(old, name) != getattr(new, name)]
    return keys if old.agent.redaction == new.agent.redaction else [*keys, _REDACTION]


def _differing(old: SourceConfig, new: SourceConfig) -> list[str]:
    if type(old) is not type(new):
        return ["type"]
    return [name for name in type(new).model_fields if getattr(old, name) != getattr(new, name)]


def _fixed(name: str, old: AgentConfig, new: AgentConfig) -> Iterator[str]:
    one, other = getattr(old, name), getattr(new, name)
    if one == other:
        return
    if type(one) is not type(other) or not isinstance(one, Section):
        yield name
        return
    keys = (f"{name}.{key}" for key in type(one).model_fields if getattr(one, key) != getattr(other, key))
    yield from (key for key in keys if key != _REDACTION)


def _renamed(added: list[SourceConfig], removed: list[SourceConfig], streams: Callable[[str], int]) -> Iterator[str]:
    """A source is its name: under another one it has no cursors, and another source_id."""
    for new in added:
        for old in removed:
            if set(_differing(old, new)) <= {"name"} and type(old) is type(new):
                count = streams(old.name)
                yield (
                    f"{new.name} reads what {old.name} has read: under another name it is another source, so "
                    f"{count} streams are read again from their start under new ids; keep the name to prevent that"
                )


def _other_identity(changed: dict[str, list[str]], streams: Callable[[str], int]) -> Iterator[str]:
    for name, keys in changed.items():
        if "type" in keys:
            yield (
                f"{name} becomes another type: its cursors ({streams(name)} streams) mean nothing to that, so what it "
                "reads is read from its start"
            )
        elif "host" in keys:
            yield f"{name} gets another host and with it another source_id; nothing is read again"
