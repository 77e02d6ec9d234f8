"""A worker as its supervisor has it: started, asked, and started again when it dies."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from logintel.refused import Refused
from logintel_agent.source_run import STOP_DEADLINE
from logintel_agent.worker_link import Answer, Done, Start, Stop, receive, send

#: Seconds before a worker that died is started again: the first and the longest pause.
RESTART: Final = (0.5, 60.0)
#: A worker that lived so long (seconds) starts again with the first pause.
_HEALTHY: Final = 60.0
#: Seconds that a stop may take before the worker is killed: its sources have their own deadline within.
_KILL: Final = 2 * STOP_DEADLINE
_log = structlog.get_logger(__name__)


class Worker:
    """Worker `number`. `start` makes its first message. `done`: what it said at its end."""

    def __init__(self, number: int, start: Callable[[], Start]) -> None:
        self.number = number
        self.restarts = 0
        self.done: Done | None = None
        self._start = start
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[Answer] | None = None

    @property
    def pid(self) -> int | None:
        """None: it does not run now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self, stop: asyncio.Event, *, once: bool) -> None:
        """Keep it running until `stop` is set; in a run that ends, until it has ended well.

        Raises Refused: in a run that ends, it gave up.
        """
        pause, longest = RESTART
        while not stop.is_set():
            started = time.monotonic()
            try:
                code = await self._live(stop)
            except OSError as error:  # no memory or no handle for another process
                _log.error("worker_not_started", worker=self.number, reason=str(error))
                code = -1
            if stop.is_set() or (once and code == 0):
                return
            if once and code > 0:
                raise Refused(f"worker {self.number} gave up: it says why above; start again when that is mended")
            pause = RESTART[0] if time.monotonic() - started > _HEALTHY else pause
            _log.error("worker_died", worker=self.number, code=code, restart_in=pause)
            self.restarts += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.5, 1)):  # noqa: S311 - only jitter
                    await stop.wait()
            pause = min(2 * pause, longest)

    async def ask(self, message: object, within: float) -> Any:
        """What it answers within `within` seconds. Raises Refused: it said no, does not run, or does not answer."""
        async with self._turn:
            if self._writer is None:
                raise Refused(f"worker {self.number} does not run: it is started again")
            self._answer = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(within):
                    await send(self._writer, message)
                    answer = await self._answer
            except (OSError, TimeoutError):
                raise Refused(f"worker {self.number} does not answer: see the log") from None
            finally:
                self._answer = None
        if answer.refused is not None:
            raise Refused(answer.refused)
        return answer.value

    async def _live(self, stop: asyncio.Event) -> int:
        """One life of its process; the exit code."""
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            words = [sys.executable, "-m", "logintel_agent.worker_process", str(fd)]
            self._process = process = await asyncio.create_subprocess_exec(*words, pass_fds=[fd], env=os.environ)
        reader, writer = await asyncio.open_connection(sock=ours)
        stopping = asyncio.create_task(self._stopped(stop, writer))
        try:
            with suppress(OSError):
                await send(writer, self._start())
            self._writer = writer
            await self._listen(reader)
            return await process.wait()
        finally:
            self._writer = None
            stopping.cancel()
            writer.close()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Until the worker is gone."""
        while (message := await receive(reader)) is not None:
            if isinstance(message, Done):
                self.done = message
            elif self._answer is not None and not self._answer.done():
                self._answer.set_result(message)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    async def _stopped(self, stop: asyncio.Event, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        with suppress(OSError):
            await send(writer, Stop())
        await asyncio.sleep(_KILL)
        assert self._process is not None
        _log.error("worker_killed", worker=self.number, reason=f"it did not end within {_KILL:g} s")
        self._process.kill()
