"""mysql: MySQL's and MariaDB's error log and general query log."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat

_TIME = (
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ] ?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9:]{5})?"
    r"|[0-9]{6} {1,2}[0-9]{1,2}:[0-9]{2}:[0-9]{2})"
)
_COMMAND = (
    "Query|Connect|Quit|Init DB|Execute|Prepare|Close stmt|Reset stmt|Statistics|Field List|Ping|Change"
    " user|Binlog Dump"
    "|Kill|Shutdown|Refresh|Processlist|Create DB|Drop DB|Debug|Sleep|Set option|Fetch|Daemon|Error|Register Slave"
)


class MysqlFormat(PatternFormat):
    name: ClassVar[str] = "mysql"
    begins = "0123456789"
    patterns = compiled(
        # 2026-11-22T10:00:00.123456Z 0 [Warning] [MY-010055] [Server] text
        rf"{_TIME}\s+(?:(?P<thread>[0-9]+) )?\[(?P<level>Note|Warning|ERROR|System|Error)\] (?:\["
        rf"(?P<code>MY-[0-9]+)\] \[(?P<subsystem>\w+)\] )?(?P<message>.*)",
        # 2026-11-22T10:00:00.123456Z<TAB>14 Query<TAB>SELECT …
        rf"{_TIME}\s+(?P<thread>[0-9]+) (?P<command>{_COMMAND})\s*(?P<message>.*)",
        rf"{_TIME} (?P<service>mysqld_safe) (?P<message>.*)",
        rf"{_TIME}\s+(?P<message>InnoDB: .*)",
        # ProxySQL: 2026-11-22 10:00:00 File.cpp:42:function(): [ERROR] text
        rf"{_TIME} (?P<file>[\w.]+):(?P<line_number>[0-9]+):(?P<method_>[\w~:]+)\(\): \[(?P<level>[A-Z]+)\] "
        rf"(?P<message>.*)",
    )
