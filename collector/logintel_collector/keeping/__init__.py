"""What the keeper does: chores, each done again and again by itself, whatever becomes of the others."""

from __future__ import annotations

from typing import Final

#: The modules of the chores that there are → the store, a key of `stores`, without which there is no such chore. A
#: module defines `build(config: CollectorConfig) -> Chore`, and is loaded only where the chore is done.
MODULES: Final[dict[str, str]] = {
    "logintel_collector.keeping.partitions": "postgres",
}
