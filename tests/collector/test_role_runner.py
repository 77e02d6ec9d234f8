"""The runner: roles side by side, where one that fails is started again and keeps no other from working."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError
from asyncpg import InterfaceError

from logintel.refused import Refused
from logintel_collector.roles import RoleName, runner
from logintel_collector.roles.role import Role
from logintel_collector.roles.runner import run_roles


class Failing(Role):
    """Fails `times` times, then has nothing left to do."""

    name: RoleName = "indexer"

    def __init__(self, times: int, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.starts, self._times, self._error = 0, times, error

    async def run(self, stop: asyncio.Event) -> None:
        self.starts += 1
        if self.starts <= self._times:
            raise self._error()
        while not stop.is_set():
            self.progress.saw(0, self.progress.now())
            await asyncio.sleep(0.01)


class Working(Role):
    """Counts until it is stopped; has caught up when it has counted to five."""

    name: RoleName = "processor"

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(0.01)
            self.progress.done += 1
            self.progress.saw(max(0, 5 - self.progress.done), self.progress.now())


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAUSE", (0.01, 0.05))


def test_a_role_that_fails_is_started_again_while_the_others_work() -> None:
    failing, working = Failing(3, lambda: ExceptionGroup("away", [OSError("nobody there")])), Working()
    asyncio.run(run_roles([working, failing], asyncio.Event(), once=True))
    assert failing.starts == 4
    assert failing.progress.trouble == "OSError: nobody there"
    assert working.progress.done >= 5


@pytest.mark.parametrize(
    ("role", "error", "told"),
    [
        (
            "indexer",
            KafkaConnectionError("Unable to bootstrap"),
            "Kafka: KafkaConnectionError: Unable to bootstrap: is it",
        ),
        ("recorder", InterfaceError("connection is closed"), "PostgreSQL: InterfaceError: connection is closed: is it"),
        (
            "indexer",
            IllegalStateError("partition 3 is not assigned"),
            "Kafka: the group deals its partitions anew (Ill",
        ),
        ("recorder", TimeoutError(), "no answer in time: is a server away"),
    ],
)
def test_trouble_names_the_server_where_a_librarys_error_does_not(role: RoleName, error: Exception, told: str) -> None:
    failing = Failing(1, lambda: error)
    failing.name = role
    asyncio.run(run_roles([failing], asyncio.Event(), once=True))
    assert str(failing.progress.trouble).startswith(told)


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_only_a_person_can_mend_ends_all(wrapped: bool) -> None:
    refused = Refused("another alerter is running")
    failing = Failing(1, lambda: ExceptionGroup("x", [refused]) if wrapped else refused)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run_roles([Working(), failing], asyncio.Event()))
    assert caught.value.subgroup(Refused)
    assert failing.starts == 1


def test_a_run_that_ends_gives_up_on_a_role_that_gets_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 0.1)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run_roles([Failing(10**6, TimeoutError), Working()], asyncio.Event(), once=True))
    assert str(caught.value.exceptions[0]).startswith("role indexer gets nowhere: no answer in time")


def test_a_stop_ends_every_role() -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        failing, working = Failing(10**6, TimeoutError), Working()
        running = asyncio.create_task(run_roles([working, failing], stop))
        await asyncio.sleep(0.1)
        stop.set()
        async with asyncio.timeout(5):
            await running
        assert failing.starts > 1

    asyncio.run(scenario())
