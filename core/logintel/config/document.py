"""The document: one YAML file as plain values, with the line of every key, read so that no content can do harm.

Scalars follow YAML 1.2's core schema, without `.inf` and `.nan`: `on`, `no`, `1:30` and `2026-01-01` are text. Keys are
text as written. Custom tags are refused; aliases are followed within the bounds below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import yaml

from logintel.config.problem import Problem
from logintel.event import Json

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
#: Values after following aliases: ten lines of aliases can stand for a billion values.
MAX_VALUES: Final = 100_000

#: Where a value stands: keys and list indices from the root.
Key: TypeAlias = "tuple[str | int, ...]"

_TAG: Final = "tag:yaml.org,2002:"
_HINTS: Final = (
    ("'\\t' that cannot start", "a tab: YAML indents with spaces only"),
    ("that cannot start any token", "put the value in quotes"),
    ("unknown escape character", "write the text in single quotes, where a backslash is a backslash"),
    ("mapping values are not allowed", "put a text that holds ': ' in quotes, or mend the indentation"),
    ("but found another document", "a file holds one document: remove the '---' in the middle"),
)


class Place(NamedTuple):
    """`line` is 1-based."""

    file: str
    line: int


@dataclass(slots=True)
class Document:
    """What a file says. `problems` are what was wrong with it as YAML; the rest of it is there nonetheless."""

    file: str
    value: dict[str, Json] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, key: Key) -> Place:
        """Where `key` stands, or the innermost of its parents that stands anywhere."""
        for length in range(len(key), 0, -1):
            if place := self.places.get(key[:length]):
                return place
        return Place(self.file, 0)

    def problem(self, key: Key, message: str) -> Problem:
        """A problem at `key`."""
        return Problem(*self.place(key), dotted(key), message)


def dotted(key: Key) -> str:
    """`sources[0].paths[1]`, in printable characters."""
    text = ""
    for step in key:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if step.isprintable() else repr(step)
            text += f".{name}" if text else name
    return text


def read_yaml(path: Path | str) -> Document:
    """The document in file `path`. Raises nothing: what is wrong is in its `problems`."""
    document = Document(str(path))
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        document.problems.append(Problem(document.file, 0, "", _unreadable(error)))
        return document
    if len(data) > MAX_BYTES:
        document.problems.append(
            Problem(document.file, 0, "", f"is larger than {MAX_BYTES} bytes: is it the right file?")
        )
        return document
    parse(data, document)
    return document


def parse(data: bytes, document: Document) -> None:
    """Fill `document` with what `data` says."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        document.problems.append(
            Problem(document.file, line, "", f"byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8")
        )
        return
    try:
        root = yaml.compose(text, Loader=_Loader)
    except RecursionError:
        document.problems.append(Problem(document.file, 0, "", f"nested deeper than {MAX_DEPTH} levels"))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        document.problems.append(_syntax_problem(document.file, text, error))
    else:
        if root is not None:
            _Builder(document).build(root)


class _Loader(yaml.SafeLoader):
    """Composes nodes by YAML 1.2's core schema. Nothing is constructed with it."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's way


for _name, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern}\Z"), _first)


class _TooMuch(Exception):
    """The document goes past a bound."""


class _Builder:
    """Turns nodes into plain values and notes where they stand."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = MAX_VALUES

    def build(self, root: yaml.Node) -> None:
        if not isinstance(root, yaml.MappingNode):
            message = "expected keys and values (`key: value`)"
            self.document.problems.append(Problem(self.document.file, root.start_mark.line + 1, "", message))
            return
        try:
            self.document.value = dict(self.items(root, ()))
        except _TooMuch as error:
            self.document.value = {}
            self.document.problems.append(Problem(self.document.file, 0, "", str(error)))

    def value(self, node: yaml.Node, key: Key) -> Json:
        self.left -= 1
        if self.left < 0:
            raise _TooMuch(f"stands for more than {MAX_VALUES} values, aliases followed")
        if len(key) > MAX_DEPTH:
            raise _TooMuch(f"{dotted(key[:8])}…: nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return dict(self.items(node, key))
        if isinstance(node, yaml.SequenceNode):
            return [self.item(inner, (*key, index)) for index, inner in enumerate(node.value)]
        return self.scalar(node, key)

    def item(self, node: yaml.Node, key: Key) -> Json:
        self.document.places[key] = Place(self.document.file, node.start_mark.line + 1)
        return self.value(node, key)

    def items(self, node: yaml.MappingNode, parent: Key) -> Iterator[tuple[str, Json]]:
        lines: dict[str, int] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.report(line, parent, "a key must be a text; put {…} and […] in quotes")
                continue
            name = self.text(name_node.value, line, parent)
            key = (*parent, name)
            if name == "<<":
                self.report(line, parent, "merge keys (<<) are not supported: write the keys out")
            elif name in lines:
                self.report(line, key, f"stands here and in line {lines[name]}: remove one")
            else:
                lines[name] = line
                self.document.places[key] = Place(self.document.file, line)
                yield name, self.value(value_node, key)

    def scalar(self, node: yaml.Node, key: Key) -> Json:
        line, text = node.start_mark.line + 1, str(node.value)
        try:
            match node.tag.removeprefix(_TAG):
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
                case "float":
                    return float(text)
                case "str":
                    return self.text(text, line, key)
        except ValueError:
            self.report(line, key, f"is no {node.tag.removeprefix(_TAG)}")
            return text
        self.report(line, key, f"tag {node.tag} is not supported: remove it")
        return text

    def text(self, text: str, line: int, key: Key) -> str:
        """`text` as valid Unicode: JSON's escapes write some characters as two halves, which YAML leaves apart."""
        if "\0" in text:
            self.report(line, key, "holds a NUL character, which no path can")
            return text.replace("\0", "")
        if text.isascii():
            return text
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if whole.count("\ufffd") != text.count("\ufffd"):
            self.report(line, key, "holds half of a surrogate pair, which no text can")
        return whole

    def report(self, line: int, key: Key, message: str) -> None:
        self.document.problems.append(Problem(self.document.file, line, dotted(key), message))


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "is a directory: name a file"
        case PermissionError():
            return "may not be read by this user: check its owner and mode"
    return f"cannot be read: {error.strerror}"


def _syntax_problem(file: str, text: str, error: Exception) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line, what = error.problem_mark.line + 1, str(error.problem or error.context)
    elif isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        what = f"character {error.character!r} may not stand in YAML"
    else:
        line, what = 0, str(error)
    hint = next((hint for mark, hint in _HINTS if mark in what), "")
    return Problem(file, line, "", f"not valid YAML: {what}" + (f": {hint}" if hint else ""))
