"""logrotate's configuration: its files, with what they include, read as logrotate.conf(5) says; nothing is run.

What is wrong is kept as problems by file, line and directive. As in logrotate, an unknown directive is passed over, an
error in a block takes that block out, and one outside of blocks ends its file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, cast

from logintel.config.problem import Problem
from logintel_agent.doctor.cursor import Broken, TextCursor
from logintel_agent.doctor.directives import FLAGS, SCRIPTS, VALUES
from logintel_agent.doctor.rule import Rule, Script

#: Where Debian, Red Hat, SUSE and Arch have it.
DEFAULT: Final = "/etc/logrotate.conf"
#: From logrotate's config.c: no larger file is a configuration, and no deeper include is followed.
MAX_BYTES: Final = 0xFFFFFF
MAX_DEPTH: Final = 16
TABOO: Final = tuple(
    f"*{ending}"
    for ending in [
        ",v",
        ".bak",
        ".cfsaved",
        ".disabled",
        ".dpkg-bak",
        ".dpkg-del",
        ".dpkg-dist",
        ".dpkg-new",
        ".dpkg-old",
        ".dpkg-tmp",
        ".new",
        ".old",
        ".orig",
        ".pacnew",
        ".pacorig",
        ".pacsave",
        ".rhn-cfg-tmp-*",
        ".rpmnew",
        ".rpmorig",
        ".rpmsave",
        ".swp",
        ".ucf-dist",
        ".ucf-new",
        ".ucf-old",
        "~",
    ]
)


@dataclass(slots=True)
class Configuration:
    """`rules` in the order in which they were read, `problems` likewise, `files` that were read."""

    rules: list[Rule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def of(self, path: str) -> list[Rule]:
        """The rules whose blocks name the absolute `path`; logrotate goes by the first that has no error."""
        return [rule for rule in self.rules if rule.matches(path)]


def read(files: Sequence[str]) -> Configuration:
    """The configuration that logrotate has when it is called with `files`. Raises nothing."""
    reader = _Reader()
    defaults = Rule()
    for file in files:
        defaults = reader.read(file, defaults)
    return reader.found


@dataclass(slots=True)
class _Reader:
    found: Configuration = field(default_factory=Configuration)
    taboo: tuple[str, ...] = TABOO
    depth: int = 0

    def read(self, name: str, defaults: Rule) -> Rule:
        """Read a file, or the files of a directory; the defaults behind it."""
        if not os.path.isdir(name):
            return self._file(name, defaults)
        try:
            entries = sorted(os.listdir(name))
        except OSError as error:
            self.problem(name, 0, "include", f"cannot be read: {error.strerror}")
            return defaults
        for entry in entries:
            path = os.path.join(name, entry)
            if os.path.isfile(path) and not any(fnmatchcase(entry, pattern) for pattern in self.taboo):
                defaults = self._file(path, defaults)
        return defaults

    def problem(self, file: str, line: int, directive: str, message: str) -> None:
        self.found.problems.append(Problem(file, line, directive, message))

    def _file(self, name: str, defaults: Rule) -> Rule:
        if (text := self._text(name)) is None:
            return defaults
        self.found.files.append(name)
        try:
            return _Parser(self, name, TextCursor(text)).parse(defaults)
        except Broken as error:
            self.problem(name, error.line, error.directive, f"{error.message}; logrotate reads no further in this file")
            return defaults

    def _text(self, name: str) -> str | None:
        try:
            with open(name, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.problem(name, 0, "", f"cannot be read: {error.strerror}")
            return None
        if len(data) > MAX_BYTES:
            self.problem(name, 0, "", f"is larger than {MAX_BYTES} bytes: logrotate takes it for no configuration")
            return None
        return data.decode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Parser:
    """One file. `rule` is the block's, or the defaults outside of blocks."""

    reader: _Reader
    file: str
    cursor: TextCursor
    rule: Rule = field(default_factory=Rule)

    def parse(self, defaults: Rule) -> Rule:
        """The defaults behind the file. Raises Broken."""
        cursor = self.cursor
        block: Rule | None = None
        while char := cursor.next:
            if char.isspace():
                cursor.advance()
            elif char == "#":
                cursor.rest_of_line()
            elif char.isascii() and char.isalpha():
                self.rule = defaults if block is None else block
                self._directive(in_block=block is not None)
                defaults, block = (self.rule, None) if block is None else (defaults, self.rule)
            elif char in "/\"'~" and block is None:
                line = cursor.line
                patterns = tuple(map(os.path.expanduser, cursor.paths()))
                block = replace(defaults, file=self.file, line=line, patterns=patterns)
            elif char == "}" and block is not None:
                cursor.advance()
                self.reader.found.rules.append(block)
                block = None
            else:
                block = self._unexpected(block)
        if block is not None:
            self._problem(block.line, "", "the block is not ended by `}`: logrotate takes it as it stands")
            self.reader.found.rules.append(block)
        return defaults

    def _unexpected(self, block: Rule | None) -> Rule:
        line, char = self.cursor.line, self.cursor.next
        if block is None:
            raise Broken(line, "", f"a line must begin with a directive or a path, not with {char!r}")
        self._problem(line, "", f"{self.cursor.rest_of_line()[:80]!r} is no directive; logrotate skips the whole block")
        return replace(block, error=f"line {line} is no directive")

    def _directive(self, *, in_block: bool) -> None:
        line = self.cursor.line
        name = self.cursor.word()
        if self.cursor.next not in ("", "=") and not self.cursor.next.isspace():
            self.cursor.rest_of_line()
            self._refuse(line, name, "is not followed by a blank", in_block=in_block)
            return
        if name in FLAGS:
            self._change(FLAGS[name])
        elif name in SCRIPTS:
            text = self.cursor.script(name)
            others = tuple(script for script in self.rule.scripts if script.kind != name)
            self.rule = replace(self.rule, scripts=(*others, Script(name, line, text)))
        elif name in VALUES:
            try:
                self._change(VALUES[name](self.cursor.value()))
            except ValueError as error:
                self._refuse(line, name, str(error), in_block=in_block)
        elif name == "include":
            self._include(line, self.cursor.value())
        elif name in ("tabooext", "taboopat"):
            self._taboo("*" if name == "tabooext" else "", self.cursor.value())
        else:
            self.cursor.rest_of_line()
            known = (*FLAGS, *VALUES, *SCRIPTS, "include", "tabooext", "taboopat")
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ";"
            self._problem(line, name, f"is no directive of logrotate.conf(5){meant} logrotate passes over the line")

    def _change(self, changes: object) -> None:
        self.rule = replace(self.rule, **cast("dict[str, Any]", changes))

    def _refuse(self, line: int, name: str, message: str, *, in_block: bool) -> None:
        if not in_block:
            raise Broken(line, name, message)
        self._problem(line, name, f"{message}; logrotate skips the whole block")
        self._change({"error": f"line {line}: {name}: {message}"})

    def _include(self, line: int, value: str) -> None:
        name = os.path.normpath(os.path.join(os.path.dirname(self.file), os.path.expanduser(value)))
        if not value or not os.path.exists(name):
            self._problem(line, "include", f"{value or 'nothing'!r} is not there: mend the path or remove the line")
        elif self.reader.depth >= MAX_DEPTH:
            self._problem(line, "include", f"{value} is nested deeper than {MAX_DEPTH} includes: logrotate stops here")
        else:
            self.reader.depth += 1
            self.rule = self.reader.read(name, self.rule)
            self.reader.depth -= 1

    def _taboo(self, prefix: str, value: str) -> None:
        added = tuple(f"{prefix}{item}" for item in value.removeprefix("+").replace(",", " ").split())
        self.reader.taboo = (*self.reader.taboo, *added) if value.startswith("+") else added

    def _problem(self, line: int, directive: str, message: str) -> None:
        self.reader.problem(self.file, line, directive, message)
