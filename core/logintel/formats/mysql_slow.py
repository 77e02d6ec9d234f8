"""mysql_slow: the slow query log of MySQL, MariaDB and Percona Server: `# Key: value` lines, then the statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StartPattern
from logintel.timestamps import Clock, clock

_START: Final = re.compile(r"# (?:Time|User@Host|Query_time): ")
_TIME: Final = re.compile(r"# Time: ([^\n]+)")
_USER: Final = re.compile(r"# User@Host: ([^\[\n]*)\[([^\]\n]*)\] *@ *([^ \[\n]*) *\[([^\]\n]*)\]")
_PAIR: Final = re.compile(r"([A-Z]\w*): +([^ \n]+)")
_SET: Final = re.compile(r"^SET timestamp=([0-9]{10}(?:\.[0-9]+)?);$", re.MULTILINE)


class MysqlSlowFormat(Format):
    name: ClassVar[str] = "mysql_slow"

    def framer(self) -> Framer:
        return StartPattern(re.compile(r"# Time: |# User@Host: (?![^\n]*\n# Time)"))

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    if _START.match(record) is None:
        return None
    metadata: dict[str, Json] = {}
    statement = []
    for line in record.split("\n"):
        if not line.startswith("#"):
            statement.append(line)
        elif user := _USER.match(line):
            metadata["user"] = user[2] or user[1].strip()
            metadata.update({key: value for key, value in (("host", user[3]), ("client_ip", user[4])) if value})
            metadata.update(_PAIR.findall(line[user.end() :]))
        elif not line.startswith("# Time:"):
            metadata.update(_PAIR.findall(line))
    event = Event(record, metadata=metadata, format="mysql_slow")
    time, stamp = _TIME.match(record), _SET.search(record)
    event.timestamp = (instant.text(time[1].strip()) if time else None) or (instant.text(stamp[1]) if stamp else None)
    event.message = "\n".join(statement).strip() or record
    return event
