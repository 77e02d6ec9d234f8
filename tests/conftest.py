"""What every test starts from and leaves behind: time decides nothing, logging is as it was; real servers for all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from logintel_devstack.stack import Stack

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


@pytest.fixture(scope="session")
def devstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The run's own servers, each started when it is first asked for. A test that kills one brings it up again."""
    stack = Stack(tmp_path_factory.mktemp("devstack"))
    yield stack
    stack.down()
    shutil.rmtree(stack.directory)


@pytest.fixture(scope="session")
def postgres(devstack: Stack) -> str:
    """The DSN of a real PostgreSQL, shared by all tests: make a database or a schema of your own."""
    return devstack.up(["postgres"])["postgres"]


@pytest.fixture(scope="session")
def kafka(devstack: Stack) -> str:
    """host:port of a real Kafka, shared by all tests: use topics and groups of your own."""
    return devstack.up(["kafka"])["kafka"]


@pytest.fixture(scope="session")
def elasticsearch_name() -> str:
    """The devstack's name of the server below: elasticsearch8 in `make test-elasticsearch8`."""
    return os.environ.get("TEST_ELASTICSEARCH", "elasticsearch")


@pytest.fixture(scope="session")
def elasticsearch(devstack: Stack, elasticsearch_name: str) -> str:
    """The URL of a real Elasticsearch, shared by all tests: use index names of your own."""
    return devstack.up([elasticsearch_name])[elasticsearch_name]
