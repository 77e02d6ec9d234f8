"""The directives of logrotate.conf(5): what each changes in a rule, and what its argument may be."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Final

from logintel_agent.doctor.rule import Owner

Changes = Mapping[str, object]

#: Directives without an argument. The source of what implies what is logrotate's config.c.
FLAGS: Final[Mapping[str, Changes]] = {
    "compress": {"compress": True},
    "nocompress": {"compress": False},
    "delaycompress": {"delaycompress": True},
    "nodelaycompress": {"delaycompress": False},
    "shred": {"shred": True},
    "noshred": {"shred": False},
    "allowhardlink": {"allowhardlink": True},
    "noallowhardlink": {"allowhardlink": False},
    "sharedscripts": {"sharedscripts": True},
    "nosharedscripts": {"sharedscripts": False},
    "copytruncate": {"copytruncate": True, "renamecopy": False},
    "nocopytruncate": {"copytruncate": False},
    "renamecopy": {"renamecopy": True, "copytruncate": False},
    "norenamecopy": {"renamecopy": False},
    "copy": {"copy": True},
    "nocopy": {"copy": False},
    "ifempty": {"ifempty": True},
    "notifempty": {"ifempty": False},
    "dateext": {"dateext": True},
    "nodateext": {"dateext": False},
    "dateyesterday": {"dateyesterday": True},
    "nodateyesterday": {"dateyesterday": False},
    "datehourago": {"datehourago": True},
    "nodatehourago": {"datehourago": False},
    "missingok": {"missingok": True},
    "nomissingok": {"missingok": False},
    "ignoreduplicates": {"ignoreduplicates": True},
    "noolddir": {"olddir": None},
    "nocreate": {"create": None},
    "nocreateolddir": {"createolddir": None},
    "nomail": {"mail": None},
    "mailfirst": {},
    "maillast": {},
    "errors": {},
    "hourly": {"criterion": "hourly"},
    "daily": {"criterion": "daily"},
    "yearly": {"criterion": "yearly"},
}
#: Directives whose lines up to `endscript` are a script.
SCRIPTS: Final = ("firstaction", "prerotate", "postrotate", "lastaction", "preremove")
#: Extension by the name of the compression command, as logrotate knows it.
EXTENSIONS: Final[Mapping[str, str]] = {
    "gzip": ".gz",
    "bzip2": ".bz2",
    "xz": ".xz",
    "zstd": ".zst",
    "compress": ".Z",
    "zip": ".zip",
}
_SIZE: Final = re.compile(r"(0[xX][0-9a-fA-F]{1,15}|[0-9]{1,18})([kKMG]?)")
_UNITS: Final = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}")


def _number(value: str, least: int = 0) -> int:
    if not _NUMBER.fullmatch(value) or int(value) < least:
        raise ValueError(f"expected a number from {least} on, got {value!r}")
    return int(value)


def _size(value: str) -> int:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"expected a size such as 100k, 10M or 1G, got {value!r}")
    return int(match[1], 16 if match[1][:2] in ("0x", "0X") else 10) * _UNITS[match[2]]


def _day(value: str, last: int) -> None:
    """The day of the week or month does not change what a rotation does; a wrong one ends the file."""
    if value and not (value.isascii() and value.isdigit() and int(value[:3]) <= last):
        raise ValueError(f"expected a day from 0 to {last}, got {value!r}")


def _weekly(value: str) -> Changes:
    _day(value, 7)
    return {"criterion": "weekly"}


def _monthly(value: str) -> Changes:
    _day(value, 31)
    return {"criterion": "monthly"}


def _mode(value: str) -> int:
    if not re.fullmatch(r"[0-7]{1,6}", value):
        raise ValueError(f"expected permission bits such as 0640, got {value!r}")
    return int(value, 8)


def _owner(value: str) -> Owner:
    """`[mode] [user group]`, or a mode alone."""
    match shlex.split(value):
        case []:
            return Owner()
        case [mode]:
            return Owner(_mode(mode))
        case [user, group]:
            return Owner(None, user, group)
        case [mode, user, group]:
            return Owner(_mode(mode), user, group)
        case _:
            raise ValueError(f"expected [MODE] [USER GROUP], got {value!r}")


def _su(value: str) -> Changes:
    names = shlex.split(value)
    if len(names) != 2:
        raise ValueError(f"expected USER GROUP, got {value!r}")
    return {"su": Owner(None, *names)}


def _text(value: str) -> str:
    if not value:
        raise ValueError("expected an argument")
    return value


def _path(value: str) -> str:
    if not value or any(not char.isprintable() or char.isspace() for char in value):
        raise ValueError(f"expected a path without blanks, got {value!r}")
    return os.path.expanduser(value) if value.startswith("~/") else value


def _only_checked(argument: Callable[[str], object]) -> Callable[[str], Changes]:
    """For a directive that changes nothing of what a rotation does here, but whose argument may be wrong."""

    def checked(value: str) -> Changes:
        argument(value)
        return {}

    return checked


def _compresscmd(value: str) -> Changes:
    command = _path(value)
    extension = EXTENSIONS.get(os.path.basename(command))
    return {"compresscmd": command, **({"compressext": extension} if extension else {})}


#: Directives with an argument: from its text to the change. Each raises ValueError.
VALUES: Final[Mapping[str, Callable[[str], Changes]]] = {
    "rotate": lambda value: {"rotate": _number(value, -1)},
    "start": lambda value: {"start": _number(value)},
    "minage": lambda value: {"minage": _number(value)},
    "maxage": lambda value: {"maxage": _number(value)},
    "minutes": lambda value: {"criterion": "minutes", "minutes": _number(value, 1)},
    "size": lambda value: {"criterion": "size", "size": _size(value)},
    "minsize": lambda value: {"minsize": _size(value)},
    "maxsize": lambda value: {"maxsize": _size(value)},
    "weekly": _weekly,
    "monthly": _monthly,
    "create": lambda value: {"create": _owner(value)},
    "createolddir": lambda value: {"createolddir": _owner(value)},
    "su": _su,
    "olddir": lambda value: {"olddir": _path(value)},
    "dateformat": lambda value: {"dateformat": _text(value)},
    "extension": lambda value: {"extension": _text(value)},
    "addextension": lambda value: {"addextension": _text(value)},
    "compresscmd": _compresscmd,
    "uncompresscmd": _only_checked(_path),
    "compressext": lambda value: {"compressext": _path(value)},
    "compressoptions": _only_checked(shlex.split),
    "shredcycles": _only_checked(_number),
    "mail": lambda value: {"mail": _text(value)},
}
