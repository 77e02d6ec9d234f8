"""The runner: roles side by side in one process, where one that fails keeps no other from working."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from logintel.config.problem import Misconfigured
from logintel.refused import Refused
from logintel_collector.roles import NEEDS, RoleName
from logintel_collector.roles.role import Role

#: Seconds between the starts of a role that fails: doubled from the first to the second number.
PAUSE: Final = (0.5, 30.0)
#: Seconds that a role of a run that ends may fail without getting anywhere; then the run gives up.
PATIENCE: Final = 60.0
#: Seconds that roles have to end after a stop; what they have not finished by then the next run does again.
STOP_DEADLINE: Final = 20.0
_LOOK_EVERY: Final = 0.05
_log = structlog.get_logger(__name__)


async def run_roles(roles: Sequence[Role], stop: asyncio.Event, *, once: bool = False) -> None:
    """Run `roles`, given in the order in which events pass them, until `stop` is set.

    With `once` until each has caught up with what the ones before it have written. Raises what only a person can mend:
    Refused and Misconfigured, alone or in a group; with `once` also when a role gets nowhere for PATIENCE seconds.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_kept_running(role, stop, once=once)) for role in roles]
        if once:
            await _until_caught_up(roles, stop)
            stop.set()
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=STOP_DEADLINE)
        for task in late:
            _log.warning("role_cancelled", reason="did not end in time", effect="the next run does again what is open")
            task.cancel()


async def _until_caught_up(roles: Sequence[Role], stop: asyncio.Event) -> None:
    for role in roles:
        since = role.progress.now()
        while not (stop.is_set() or role.progress.caught_up_since(since)):
            await _rest(stop, _LOOK_EVERY)


async def _kept_running(role: Role, stop: asyncio.Event, *, once: bool) -> None:
    pause, failing_since = PAUSE[0], None
    while not stop.is_set():
        done, started = role.progress.done, role.progress.now()
        try:
            await role.run(stop)
        except Exception as error:
            # A dead server shows in many ways, and none may stop the other roles.
            if _for_a_person(error):
                raise
            trouble = _reason(error, role.name)
        else:
            continue
        if role.progress.done > done:
            pause, failing_since = PAUSE[0], None
        failing_since = started if failing_since is None else failing_since
        if once and role.progress.now() - failing_since > PATIENCE:
            raise Refused(f"role {role.name} gets nowhere: {trouble}")
        if trouble != role.progress.trouble:
            _log.warning("role_failed", role=role.name, reason=trouble, effect="starts again; nothing is lost")
        role.progress.trouble = trouble
        role.progress.tries += 1
        await _rest(stop, pause * random.uniform(0.5, 1))  # noqa: S311 - only jitter
        pause = min(2 * pause, PAUSE[1])


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _for_a_person(error: Exception) -> bool:
    """Whether no further try can help."""
    if isinstance(error, ExceptionGroup):
        return any(map(_for_a_person, error.exceptions))
    return isinstance(error, Refused | Misconfigured)


def _reason(error: BaseException, role: RoleName) -> str:
    """In words that name the server, where the error does not: a library's error tells only what it did last."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_reason(inner, role) for inner in error.exceptions))
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time: is a server of this role away, or overloaded?"
    name, text = type(error).__name__, str(error).partition("\n")[0]
    said = text if text.startswith(name) else f"{name}: {text}"
    library = type(error).__module__.partition(".")[0]
    if library == "aiokafka":
        return f"Kafka: {said}: is it running and reachable?"
    if library == "asyncpg" or (isinstance(error, OSError) and NEEDS.get(role) == "postgres"):
        return f"PostgreSQL: {said}: is it running and reachable, and does it let us write?"
    return said
