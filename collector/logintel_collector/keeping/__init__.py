"""What the keeper does: chores, each done again and again by itself, whatever becomes of the others."""

from __future__ import annotations

from typing import Final

#: The modules of the chores that there are → the store, a key of `stores`, without which there is no such chore; None:
#: any will do. A module defines `build(config: CollectorConfig) -> Chore`, and is loaded only where the chore is done.
MODULES: Final[dict[str, str | None]] = {
    "logintel_collector.keeping.health": "postgres",
    "logintel_collector.keeping.lag": "postgres",
    "logintel_collector.keeping.partitions": "postgres",
    "logintel_collector.keeping.archive": "postgres",
    "logintel_collector.keeping.indices": "elasticsearch",
    "logintel_collector.keeping.snapshots": "elasticsearch",
    "logintel_collector.keeping.ended_streams": None,
}
