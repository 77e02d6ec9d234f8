"""The self-description: an agent's host and its sources, told when its configuration changes.

Of a source's configuration only keys that hold no secret are told: a key that is not listed here may be one of a
third party's plugin, and hold anything.
"""

from __future__ import annotations

import inspect
import os
import platform
from functools import lru_cache
from typing import Any, Final

from logintel.source import Source, SourceConfig

#: Keys of sources that are told, where they are set.
PUBLIC: Final = frozenset(
    {
        "paths", "exclude", "listen", "stdin", "format", "encoding", "timezone", "topics", "group", "start", "interval",
        "service", "environment", "host", "tags", "spool", "silence",
    }
)  # fmt: skip
#: Bytes of a key's value, as text, beyond which it is left out.
_VALUE: Final = 2000


@lru_cache(maxsize=1)
def host_facts() -> dict[str, Any]:
    """What this host is; read once, since nothing of it changes while a process runs."""
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        system = platform.system()
    return {
        "system": system,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }


def described(config: SourceConfig, kind: type[Source]) -> dict[str, Any]:
    """A source, for people: `configuration` has the keys that were set and may be told."""
    values = config.model_dump(mode="json", include=set(PUBLIC), exclude_defaults=True)
    doc = inspect.getdoc(kind) or ""
    return {
        "name": config.name,
        "type": config.type,
        "description": config.description or doc.partition("\n")[0],
        "configuration": {key: value for key, value in values.items() if len(str(value)) <= _VALUE},
    }
