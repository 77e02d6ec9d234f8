"""References: `${env:NAME}`, `${file:PATH}` and `${credential:NAME}` inside any text of a configuration.

They keep secrets out of the file. What they stand for is put in before the models see the text; the document remembers
where, so that nothing shown to a person holds it. `$${` is a literal `${`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logintel.config.document import Document, Key
from logintel.config.problem import nearest
from logintel.event import Json

MAX_SECRET_BYTES: Final = 64 * 1024
#: What is shorter keeps nothing secret, and hiding it would make any message unreadable.
MIN_HIDDEN: Final = 4
_MARK: Final = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")


@dataclass(slots=True)
class References:
    """What references a document held: the text as written where each stood, and what they stood for."""

    written: dict[Key, str] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def hide(self, text: str) -> str:
        """`text` without anything that a reference stood for, plain or escaped as Python shows text."""
        secrets = {form for value in self.values if len(value) >= MIN_HIDDEN for form in (value, repr(value)[1:-1])}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def resolve(document: Document, folder: Path) -> References:
    """Put into `document` what its references stand for; one that stands for nothing is added to its problems.

    A file is relative to `folder`.
    """
    references = References()

    def walk(value: Json, key: Key) -> Json:
        if isinstance(value, dict):
            return {name: walk(inner, (*key, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*key, index)) for index, inner in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return text(value, key)
        return value

    def text(written: str, key: Key) -> str:
        def put_in(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            references.written[key] = written
            value = _value(match[0], match[1], folder)
            references.values.add(value)
            return value

        try:
            return _MARK.sub(put_in, written)
        except LookupError as error:
            document.problems.append(document.problem(key, str(error.args[0])))
            return written

    document.value = {name: walk(inner, (name,)) for name, inner in document.value.items()}
    return references


def _value(whole: str, inside: str, folder: Path) -> str:
    """What a reference stands for. Raises LookupError that says why it stands for nothing."""
    kind, colon, name = inside.partition(":")
    if not whole.endswith("}") or not colon or not name:
        raise LookupError(
            f"{whole}: expected ${{env:NAME}}, ${{file:PATH}} or ${{credential:NAME}}; write $${{ for ${{"
        )
    if kind not in _KINDS:
        raise LookupError(f"{whole}: unknown kind of reference {kind!r}{nearest(kind, _KINDS)}")
    return _KINDS[kind](whole, name, folder)


def _of_environment(whole: str, name: str, _folder: Path) -> str:
    try:
        value = os.environ[name]
        value.encode()
    except KeyError:
        raise LookupError(f"{whole}: environment variable {name} is not set") from None
    except UnicodeEncodeError:
        raise LookupError(f"{whole}: the variable is not UTF-8") from None
    return value


def _of_credential(whole: str, name: str, _folder: Path) -> str:
    # systemd.exec(5), CREDENTIALS: names are plain file names in this directory.
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        raise LookupError(f"{whole}: $CREDENTIALS_DIRECTORY is not set: it is there when systemd starts us")
    if "/" in name:
        raise LookupError(f"{whole}: a credential's name holds no '/'")
    return _of_file(whole, name, Path(directory))


def _of_file(whole: str, name: str, folder: Path) -> str:
    """The file's text without its last line end."""
    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise LookupError(f"{whole}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise LookupError(f"{whole}: is not UTF-8 text, or no path") from None
    if len(data) > MAX_SECRET_BYTES:
        raise LookupError(f"{whole}: is larger than {MAX_SECRET_BYTES} bytes")
    return text.removesuffix("\n").removesuffix("\r")


_KINDS: Final[dict[str, Callable[[str, str, Path], str]]] = {
    "env": _of_environment,
    "file": _of_file,
    "credential": _of_credential,
}
