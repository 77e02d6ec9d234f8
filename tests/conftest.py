"""What every test leaves behind: nothing of the process's logging."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test calls sends logs to the stderr of that test, which the next one finds closed."""
    yield
    structlog.reset_defaults()
