"""The formats that come with logintel, and the order in which `auto` tries them."""

from __future__ import annotations

from logintel.formats import Format
from logintel.formats.access import AccessFormat
from logintel.formats.auto import AutoFormat
from logintel.formats.java import JavaFormat
from logintel.formats.json import JsonFormat
from logintel.formats.jul import JulFormat
from logintel.formats.logfmt import LogfmtFormat
from logintel.formats.plain import PlainFormat
from logintel.formats.python import PythonFormat
from logintel.formats.syslog import SyslogFormat
from logintel.formats.text import TextFormat
from logintel.hooks import hookimpl

#: Formats that carry no record of another format, the most special first.
LEAVES: tuple[type[Format], ...] = (
    JsonFormat,
    AccessFormat,
    LogfmtFormat,
    JulFormat,
    JavaFormat,
    PythonFormat,
    TextFormat,
)
#: All that `auto` tries; the last two take much, and all.
RANKED: tuple[type[Format], ...] = (JsonFormat, AccessFormat, SyslogFormat, *LEAVES[2:], PlainFormat)


@hookimpl
def formats() -> list[type[Format]]:
    """Every built-in format."""
    return [*RANKED, AutoFormat]
