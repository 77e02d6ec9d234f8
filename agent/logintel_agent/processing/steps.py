"""The steps that look at events one by one: filters and samples drop some, the others change what they say.

What a step decides depends on the event alone, so a replay decides the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final, TypeAlias

from logintel.condition import condition, inside
from logintel.config.process import FilterConfig, ProcessConfig, SampleConfig, TagConfig
from logintel.event import Event, Json

#: Why an event (and its log_id) is dropped; None: it is not.
Drops: TypeAlias = Callable[[Event, str], str | None]
Changes: TypeAlias = Callable[[Event], None]

_SEVERE: Final = frozenset(("ERROR", "FATAL"))


def drops(config: ProcessConfig) -> Sequence[Drops]:
    """The filters, then the samples."""
    return [*map(_filter, config.filter), *map(_sample, config.sample)]


def changes(config: ProcessConfig) -> Sequence[Changes]:
    """What renames, leaves out, sets and tags."""
    return [
        *(partial(_rename, old.partition("."), new.partition(".")) for old, new in config.rename.items()),
        *(partial(_leave_out, path.partition(".")) for path in config.drop),
        *(partial(_set, path.partition("."), value) for path, value in config.add.items()),
        *map(_tag, config.tags),
    ]


def has_patterns(config: ProcessConfig) -> bool:
    """Whether a step searches for a pattern, which may take long."""
    conditions = [
        *(each.drop or each.keep for each in config.filter),
        *(each.where for each in config.sample),
        *(each.where for each in config.tags),
    ]
    return any(each is not None and each.pattern is not None for each in conditions)


def _filter(config: FilterConfig) -> Drops:
    reason = f"filter:{config.name}"
    described = config.drop or config.keep
    assert described is not None
    holds, keeps = condition(described, _reader), config.keep is not None
    return lambda event, _log_id: None if holds(event) is keeps else reason


def _sample(config: SampleConfig) -> Drops:
    reason = f"sample:{config.name}"
    holds = condition(config.where, _reader) if config.where else None
    read = _reader(config.key) if config.key else None

    def drops_it(event: Event, log_id: str) -> str | None:
        if (event.level in _SEVERE and not config.severe) or (holds and not holds(event)):
            return None
        value = read(event) if read else None
        seed = log_id if value is None else str(value)
        number = int.from_bytes(blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        return None if number % config.of < config.keep else reason

    return drops_it


def _reader(path: str) -> Callable[[Event], Json]:
    """Reads the field at `path`, such as `metadata.status`; inside objects too, `metadata.user.id`."""
    if path == "raw_log":
        return lambda event: event.raw
    if path == "message":
        return lambda event: event.message or event.raw
    if path == "level":
        return lambda event: event.level
    if path == "metadata.format":
        return lambda event: event.format
    section, _, name = path.partition(".")
    if section == "parsed_fields":
        return lambda event: event.fields.get(name)
    return lambda event: inside(event.metadata, name)


_Path: TypeAlias = tuple[str, str, str]


def _holder(event: Event, path: _Path) -> dict[str, Json]:
    return event.fields if path[0] == "parsed_fields" else event.metadata


def _rename(old: _Path, new: _Path, event: Event) -> None:
    """What stands under the new name already gives way: it is the configuration that says what the name means."""
    values = _holder(event, old)
    if old[2] in values:
        _holder(event, new)[new[2]] = values.pop(old[2])


def _leave_out(path: _Path, event: Event) -> None:
    _holder(event, path).pop(path[2], None)


def _set(path: _Path, value: Json, event: Event) -> None:
    _holder(event, path)[path[2]] = value


def _tag(config: TagConfig) -> Changes:
    holds = condition(config.where, _reader)

    def put(event: Event) -> None:
        if holds(event) and config.tag not in event.tags:
            event.tags.append(config.tag)

    return put
