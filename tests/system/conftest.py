"""The fixture of an installation on real servers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, prepare

from logintel_devstack.stack import Stack


@pytest.fixture
def installation(devstack: Stack, tmp_path: Path) -> Iterator[Installation]:
    """An installation that nobody has used; what it started is ended with the test."""
    made = Installation(tmp_path, devstack.up(), f"test-{secrets.token_hex(5)}")
    asyncio.run(prepare(made))
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()
