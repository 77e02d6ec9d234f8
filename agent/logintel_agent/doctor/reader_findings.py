"""Findings about the reader: no source reads the log, or two do, or the agent's user may not."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator

from logintel_agent.doctor.finding import Case, Finding
from logintel_agent.doctor.rule import Owner


def reader_findings(case: Case) -> Iterator[Finding]:
    """What is wrong with how the log is read."""
    readers = [reader for reader in case.settings.readers if not reader.excluded]
    if not readers:
        yield _unread(case)
    elif len(readers) > 1:
        names = " and ".join(f"{reader.config.name} ({reader.place})" for reader in readers)
        yield Finding(
            "read_twice",
            "loss",
            f"{len(readers)} sources read it: {names}; each delivers every line, under ids of its own",
            f"put it into the `exclude` of all but one, for example of {readers[-1].config.name}:\n"
            f"    exclude: [{_quoted(case.path)}]",
        )
    yield from _permissions(case)


def _unread(case: Case) -> Finding:
    for reader in case.settings.readers:
        text = (
            f"source {reader.config.name} ({reader.place}) leaves it out: its `exclude` has {_quoted(reader.excluded)}"
        )
        return Finding("excluded", "loss", f"no source reads it; {text}", "take that entry out, or make it narrower")
    text = "no source of the configuration reads it; replayed as if one of type application did"
    if case.settings.sources:
        source, place = case.settings.sources[-1]
        return Finding(
            "no_source", "loss", text, f"add to `paths` of source {source.name} ({place}):\n    - {_quoted(case.path)}"
        )
    name = case.reader.config.name
    snippet = f"    - name: {name}\n      type: application\n      paths: [{_quoted(case.path)}]"
    return Finding("no_source", "loss", text, f"add under `sources:`\n{snippet}")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _permissions(case: Case) -> Iterator[Finding]:
    try:
        user = pwd.getpwuid(case.settings.owner)
    except KeyError:
        return
    if user.pw_uid == 0:
        return
    try:
        status = os.stat(case.path)
    except OSError:
        status = None
    if status and not _may_read(user, status.st_mode, status.st_uid, status.st_gid):
        yield _closed(
            case,
            user.pw_name,
            f"it is {status.st_mode & 0o7777:04o}, of {_name(status.st_uid)}",
            f"setfacl -m u:{user.pw_name}:r {case.path}",
        )
    rule = case.rule
    if rule is None or rule.in_place or rule.create is None or rule.create.mode is None:
        return
    owner = _ids(rule.create, status)
    if owner and not _may_read(user, rule.create.mode, *owner):
        yield _closed(
            case,
            user.pw_name,
            f"{rule.place} makes the new log with `create {rule.create}`",
            "write `create 0644 …` there",
        )


def _closed(case: Case, user: str, reason: str, change: str) -> Finding:
    group = case.rule.create.group if case.rule and case.rule.create else None
    fix = f"usermod -aG {group} {user}    # then restart the agent\n    or {change}" if group else change
    return Finding("permission", "loss", f"the agent's user {user} cannot read it: {reason}", fix)


def _may_read(user: pwd.struct_passwd, mode: int, uid: int, gid: int) -> bool:
    if user.pw_uid == uid:
        return bool(mode & 0o400)
    if gid in os.getgrouplist(user.pw_name, user.pw_gid):
        return bool(mode & 0o040)
    return bool(mode & 0o004)


def _ids(create: Owner, status: os.stat_result | None) -> tuple[int, int] | None:
    """User and group of a new log: as `create` says, else those of the old one; None: not known."""
    try:
        if create.user is not None and create.group is not None:
            return pwd.getpwnam(create.user).pw_uid, grp.getgrnam(create.group).gr_gid
    except KeyError:
        return None
    return (status.st_uid, status.st_gid) if status else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
