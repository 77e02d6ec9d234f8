"""postgresql: PostgreSQL's stderr log under the usual values of log_line_prefix."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP

_LEVEL = r"(?P<level>DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|QUERY): +"
_WHO = r"(?:(?P<user>[^ @\[\]:=]+|\[unknown\])@(?P<database>[^ :]+))"
_TIMED: Final = re.compile(r"duration: ([0-9.]+) ms")


class PostgresqlFormat(PatternFormat):
    name: ClassVar[str] = "postgresql"
    needs = (
        "LOG:",
        "ERROR:",
        "FATAL:",
        "WARNING:",
        "DETAIL:",
        "STATEMENT:",
        "HINT:",
        "PANIC:",
        "NOTICE:",
        "INFO:",
        "CONTEXT:",
        "DEBUG",
        "QUERY:",
    )
    patterns = compiled(
        # %h? %m [%p] %q%u@%d, Debian's default and its relatives
        rf"(?:(?P<client_ip>[0-9a-fA-F.:]+) )?(?P<time>{STAMP})(?: (?P<zone>[A-Z]{{2,5}}))? \[(?P<pid>[0-9]+)"
        rf"(?:-(?P<line>[0-9]+))?\]:?"
        rf" (?:(?P<remote>\[local\]|[0-9a-fA-F.:]+(?:\([0-9]+\))?) )?(?:{_WHO}:? )?(?:\["
        rf"(?P<sqlstate>[0-9A-Z]{{5}})\] )?{_LEVEL}(?P<message>.*)",
        # %t:%r:%u@%d:[%p]: as Amazon RDS has it
        rf"(?P<time>{STAMP}):(?P<client_ip>[^:(]*)(?:\((?P<client_port>[0-9]+)\))?:{_WHO}?:\[(?P<pid>[0-9]+)\]:{_LEVEL}(?P<message>.*)",
        # %m %c %x %d %u %r %p %l, VMware's
        rf"(?P<time>{STAMP}) (?P<session>[0-9a-f]+\.[0-9a-f]+) (?P<transaction>[0-9]+) (?P<database>[^ ]*) "
        rf"(?P<user>[^ ]*) (?P<remote>[^ ]*) (?P<pid>[0-9]+) (?P<line>[0-9]+) ?{_LEVEL}(?P<message>.*)",
    )

    def finish(self, event: Event) -> Event:
        if timed := _TIMED.match(event.message):
            event.metadata["duration_ms"] = float(timed[1])
        return event
