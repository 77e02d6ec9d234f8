"""The cursor over a configuration file's characters: words, values, scripts and quoted paths, with line numbers."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

_BLANK: Final = " \t"


class Broken(Exception):
    """Where logrotate gives the file up: (line, directive, message)."""

    def __init__(self, line: int, directive: str, message: str) -> None:
        super().__init__(line, directive, message)
        self.line, self.directive, self.message = line, directive, message


@dataclass(slots=True)
class TextCursor:
    """`at` is the next character; `line` its line, from 1."""

    text: str
    at: int = 0
    line: int = 1

    @property
    def next(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def skip(self, characters: str) -> None:
        """Pass over any of these."""
        while self.next and self.next in characters:
            self._pass()

    def _pass(self) -> str:
        char = self.next
        self.at += 1
        self.line += char == "\n"
        return char

    def advance(self) -> None:
        """Pass over one character."""
        self._pass()

    def word(self) -> str:
        """ASCII letters from here on."""
        start = self.at
        while self.next.isascii() and self.next.isalpha():
            self.at += 1
        return self.text[start : self.at]

    def rest_of_line(self) -> str:
        """Up to the line's end, which stays; without blanks around it."""
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        rest, self.at = self.text[self.at : end], end
        return rest.strip()

    def value(self) -> str:
        """An argument: the rest of the line, behind an optional `=`."""
        self.skip(_BLANK)
        if self.next == "=":
            self.at += 1
        return self.rest_of_line()

    def script(self, directive: str) -> str:
        """The lines up to one that begins with `endscript`. Raises Broken without one."""
        began, lines = self.line, list[str]()
        while self.next:
            if lines:
                self._pass()
            start = self.at
            self.skip(_BLANK)
            if self.word() == "endscript":
                return "\n".join(lines).strip("\n")
            self.rest_of_line()
            lines.append(self.text[start : self.at])
        raise Broken(began, directive, "is not ended: write `endscript` on a line of its own behind the script")

    def paths(self) -> list[str]:
        """The paths and globs before a `{`, which is passed. Raises Broken."""
        began, kept = self.line, list[str]()
        fresh = True
        while self.next not in ("{", ""):
            if fresh and self.next == "#":
                self.rest_of_line()
                continue
            if self.next == "}":
                raise Broken(self.line, "}", "stands before any `{`")
            char = self._pass()
            kept.append(char)
            fresh = char == "\n" or (fresh and char.isspace())
        if not self.next:
            raise Broken(began, "", "a path is not followed by `{`")
        self._pass()
        try:
            return shlex.split("".join(kept))
        except ValueError as error:
            raise Broken(began, "", f"the paths cannot be read: {error}") from None
