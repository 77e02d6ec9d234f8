"""What every test starts from and leaves behind: time decides nothing, and logging is as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# On a busy machine anything may be slow; a test fails for what it finds, not for how long that took. In CI a commit gets
# the same verdict each time; everywhere else the property tests go on exploring.
settings.register_profile(
    "logintel", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("logintel")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test calls sends logs to the stderr of that test, which the next one finds closed."""
    yield
    structlog.reset_defaults()
