"""The runner: roles side by side in one process, where one that fails keeps no other from working."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from logintel.config.problem import Misconfigured
from logintel.refused import Refused
from logintel_collector.roles.role import Role

#: Seconds between the starts of a role that fails: doubled from the first to the second number.
PAUSE: Final = (0.5, 30.0)
#: Seconds that a role of a run that ends may fail without getting anywhere; then the run gives up.
PATIENCE: Final = 60.0
#: Seconds that roles have to end after a stop; what they have not finished by then the next run does again.
STOP_DEADLINE: Final = 20.0
_LOOK_EVERY: Final = 0.05
#: Errors of aiokafka that a rebalance causes, which passes by itself.
_DEALT_ANEW: Final = frozenset(
    {
        "CommitFailedError",
        "IllegalGenerationError",
        "IllegalStateError",
        "RebalanceInProgressError",
        "UnknownMemberIdError",
    }
)
#: The library whose error it is → whom it talks with.
_SERVERS: Final = {"aiokafka": "Kafka", "asyncpg": "PostgreSQL"}
_log = structlog.get_logger(__name__)


async def run_roles(roles: Sequence[Role], stop: asyncio.Event, *, once: bool = False) -> None:
    """Run `roles`, given in the order in which events pass them, until `stop` is set.

    With `once` until each has caught up with what the ones before it have written. Raises what only a person can mend:
    Refused and Misconfigured, alone or in a group; with `once` also when a role gets nowhere for PATIENCE seconds.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_kept_running(role, stop)) for role in roles]
        if once:
            await _until_caught_up(roles, stop)
            stop.set()
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=STOP_DEADLINE)
        for task in late:
            _log.warning("role_cancelled", reason="did not end in time", effect="the next run does again what is open")
            task.cancel()


def pauses() -> Iterator[float]:
    """Seconds to wait after each try in a row that failed, with jitter."""
    pause = PAUSE[0]
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - only jitter
        pause = min(2 * pause, PAUSE[1])


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than to a stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def for_a_person(error: Exception) -> bool:
    """Whether no further try can help."""
    if isinstance(error, ExceptionGroup):
        return any(map(for_a_person, error.exceptions))
    return isinstance(error, Refused | Misconfigured)


def reason(error: BaseException) -> str:
    """The error in a line that names the server, which a library's error does not."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(reason(inner) for inner in error.exceptions))
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time: is a server away, or overloaded?"
    name, text = type(error).__name__, str(error).partition("\n")[0]
    said = text if text.startswith(name) else f"{name}: {text}"
    if name in _DEALT_ANEW:
        return f"Kafka: the group deals its partitions anew ({said})"
    server = _SERVERS.get(type(error).__module__.partition(".")[0])
    return f"{server}: {said}: is it running and reachable?" if server else said


async def _until_caught_up(roles: Sequence[Role], stop: asyncio.Event) -> None:
    for role in roles:
        since = role.progress.now()
        role.progress.awaited = True
        got_on = _Patience()
        while not (stop.is_set() or role.progress.caught_up_since(since)):
            got_on.look(role)
            await rest(stop, _LOOK_EVERY)


@dataclass(slots=True)
class _Patience:
    """Of a run that ends, with a role that it waits for."""

    _done: int = -1
    _since: float = 0.0

    def look(self, role: Role) -> None:
        """Raises Refused when the role is in trouble and has got nowhere for PATIENCE seconds."""
        progress = role.progress
        if progress.trouble is None or progress.done != self._done:
            self._done, self._since = progress.done, progress.now()
        elif progress.now() - self._since > PATIENCE:
            raise Refused(f"role {role.name} gets nowhere: {progress.trouble}")


async def _kept_running(role: Role, stop: asyncio.Event) -> None:
    waits = pauses()
    while not stop.is_set():
        done = role.progress.done
        try:
            await role.run(stop)
        except Exception as error:
            # A dead server shows in many ways, and none may stop the other roles.
            if for_a_person(error):
                raise
            trouble = reason(error)
        else:
            continue
        if role.progress.done > done:
            waits = pauses()
        if trouble != role.progress.trouble:
            _log.warning("role_failed", role=role.name, reason=trouble, effect="starts again; nothing is lost")
        role.progress.trouble = trouble
        role.progress.tries += 1
        await rest(stop, next(waits))
