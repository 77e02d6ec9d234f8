"""auditd: the Linux audit log: `type=… msg=audit(seconds.ms:serial): key=value …`, pairs inside quotes too."""

from __future__ import annotations

from typing import ClassVar

from logintel.event import Event
from logintel.formats.alternatives import compiled
from logintel.formats.pairs import pairs
from logintel.formats.patterns import PatternFormat


class AuditdFormat(PatternFormat):
    name: ClassVar[str] = "auditd"
    begins = "nt"
    patterns = compiled(
        r"(?:node=(?P<node>[^ ]+) )?type=(?P<type>[^ ]+) msg=audit\((?P<time>[0-9]{10}\.[0-9]{3}):"
        r"(?P<sequence>[0-9]+)\): ?(?P<message>(?:user )?(?P<pairs>.*))",
    )

    def finish(self, event: Event) -> Event:
        inner = event.metadata.pop("msg", None)
        if isinstance(inner, str):
            for key, value in pairs(inner).items():
                event.metadata.setdefault(key, value)
        return event
