"""A worker: `python -m logintel_agent.worker_process FD` serves its seats, told what to do over the socket FD.

It ends with its supervisor: when that is gone, at once, as if it had been killed as well.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from logintel import garbage, logs
from logintel.main import report
from logintel.refused import Refused
from logintel_agent.crew import Crew
from logintel_agent.worker_link import Answer, Apply, AskStatus, AskStreamCounts, Done, Start, Stop, receive, send


def main(fd: int) -> int:
    """Run until told to stop or, in a run that ends, until all is read; the exit code."""
    logs.set_up("info", sys.stderr)
    garbage.collect_rarely()
    try:
        asyncio.run(_run(socket.socket(fileno=fd)))
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the last place that can make it a message
        return report(error)
    return 0


async def _run(link: socket.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    logs.watch(loop)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for ignored in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the supervisor says what to do
        loop.add_signal_handler(ignored, lambda: None)
    reader, writer = await asyncio.open_connection(sock=link)
    start = await receive(reader)
    assert isinstance(start, Start)
    problems: list[str] = []

    def tell(text: str) -> None:
        if text not in problems:
            problems.append(text)
            print(f"logintel: {text}", file=sys.stderr)  # noqa: T201 - the command's way of speaking

    crew = Crew(start.config, start.seating.served_by(start.worker), start.seating, tell, once=start.once)
    listening = asyncio.create_task(_obey(crew, stop, reader, writer))
    try:
        await crew.run(stop)
    finally:
        listening.cancel()
        await asyncio.wait({listening})
    await send(writer, Done(crew.summary, problems))
    writer.close()
    await writer.wait_closed()


async def _obey(crew: Crew, stop: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it died while it was told something
        while (message := await receive(reader)) is not None:
            if isinstance(message, Stop):
                stop.set()
            else:
                await send(writer, await _answer(crew, message))
    _end_at_once()


async def _answer(crew: Crew, message: object) -> Answer:
    match message:
        case AskStatus():
            return Answer(await crew.status(streams=message.streams))
        case AskStreamCounts():
            return Answer(await crew.stream_counts())
        case Apply():
            try:
                await crew.apply(message.config, message.changed)
            except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises, the old one runs on
                kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
                return Answer(refused=f"{kind}{error}")
            return Answer()
    raise TypeError(f"unknown message {type(message).__name__}")


def _end_at_once() -> NoReturn:
    """The supervisor is gone: its successor waits for our directories."""
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
