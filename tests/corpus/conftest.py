"""The fixture of the system tests, for the corpus on real servers."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest
from installation import Installation, prepare

from logintel_devstack.stack import Stack


@pytest.fixture
def installation(devstack: Stack, tmp_path: Path) -> Installation:
    """An installation that nobody has used."""
    made = Installation(tmp_path, devstack.up(), f"corpus-{secrets.token_hex(5)}")
    asyncio.run(prepare(made))
    return made
