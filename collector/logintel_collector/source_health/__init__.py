"""Health of sources: what agents say of them, judged by rules that docs/sources.md writes down."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Health: TypeAlias = Literal["unhealthy", "degraded", "unknown", "healthy"]
#: Worst first.
ORDER: Final[tuple[Health, ...]] = ("unhealthy", "degraded", "unknown", "healthy")
