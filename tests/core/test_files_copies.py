"""Copies in the making: each file that looks like one is given its own time to become one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from file_reader import FORMATS, append, numbers

from logintel.inputs.files.content import open_content
from logintel.inputs.files.copies import Copies
from logintel.inputs.files.discovery import Found, at
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.stream import FileStream


def opened(found: Found) -> FileStream:
    return FileStream.on(found.path, open_content(found.path), lambda _head: FORMATS.create("plain"), None, None)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """With one open log."""
    append(tmp_path / "app.log", *numbers(0, 50))
    registry = Registry(opened)
    found = at(str(tmp_path / "app.log"))
    assert found
    stream = opened(found)
    stream.read()
    registry.open[stream.name] = stream
    yield registry
    registry.close()


def test_a_file_does_not_inherit_the_patience_of_one_that_had_its_inode(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    copies = Copies(registry, patience=60.0)
    (tmp_path / "app.log.1").write_bytes((tmp_path / "app.log").read_bytes())
    copy = at(str(tmp_path / "app.log.1"))
    assert copy
    copies.look()
    assert copies.waits(copy)
    now = 59.0
    copies.look()
    assert copies.waits(copy)
    now = 61.0
    copies.look()
    assert not copies.waits(copy), "it never became one: it is a file of its own"

    copies.look()
    assert copies.waits(copy)
    now = 100.0
    copies.look()  # it is gone; what is made later may have its inode
    now = 200.0
    copies.look()
    assert copies.waits(copy)
