"""The control socket: one JSON line asks a running agent, one JSON line answers. Only the agent's own user may ask."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import structlog

from logintel.refused import Refused

NAME: Final = "control.sock"
#: Version of requests and answers.
VERSION: Final = 1
#: Seconds that a client may take to ask, and to take the answer.
_TIMEOUT: Final = 5.0
#: Bytes of a request and of an answer, at most.
_REQUEST: Final = 64 * 1024
_ANSWER: Final = 64 * 1024 * 1024
#: Clients that are served at once; the next one waits.
_CLIENTS: Final = 8

_log = structlog.get_logger(__name__)

#: A request or an answer, as JSON.
Message: TypeAlias = dict[str, Any]
#: Answers a request. Raises Refused, ValueError: told to the client as {"error": text}.
Answer: TypeAlias = Callable[[Message], Awaitable[Message]]


@asynccontextmanager
async def served(directory: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer on control.sock in `directory`, which the caller has locked, while the context lasts.

    Where there can be no socket, the agent still runs: that it cannot be asked is logged.
    """
    turns = asyncio.Semaphore(_CLIENTS)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with turns:
                async with asyncio.timeout(_TIMEOUT):
                    line = await reader.readline()
                reply = orjson.dumps({"v": VERSION, **await _answered(line, answer)}) + b"\n"
                writer.write(reply)
                async with asyncio.timeout(_TIMEOUT):
                    await writer.drain()
        except (TimeoutError, OSError, ValueError) as error:  # ValueError: a line over the limit
            _log.warning("control_client_dropped", reason=str(error) or type(error).__name__)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    try:
        server = await asyncio.start_unix_server(connection, sock=_bound(directory), limit=_REQUEST)
    except OSError as error:
        _log.error(
            "control_socket_missing", path=str(directory / NAME), reason=str(error), effect="no status, no reload"
        )
        yield
        return
    try:
        async with server:
            yield
    finally:
        (directory / NAME).unlink(missing_ok=True)


def ask(directory: Path, request: Message, timeout: float) -> Message:
    """What the agent of `directory` answers within `timeout` seconds. Raises Refused: it does not run, or said no."""
    try:
        line = _exchanged(directory, orjson.dumps({"v": VERSION, **request}) + b"\n", timeout)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise Refused(f"no agent runs on {directory}: start it with `logintel agent run --config FILE`") from None
    except PermissionError:
        raise Refused(f"the agent on {directory} belongs to another user: ask as that user, or as root") from None
    except TimeoutError:
        raise Refused(f"the agent on {directory} did not answer within {timeout:g} s: see its log") from None
    except OSError as error:
        raise Refused(f"the agent on {directory} broke off ({error.strerror}): ask again, or see its log") from None
    if not line.endswith(b"\n"):
        raise Refused(f"the agent on {directory} ended while it was asked: see its log")
    answer: Message = orjson.loads(line)
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return answer


async def _answered(line: bytes, answer: Answer) -> Message:
    try:
        return await answer(dict(orjson.loads(line)))
    except (Refused, ValueError, TypeError) as error:
        return {"error": str(error)}


def _exchanged(directory: Path, request: bytes, timeout: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as client, _reachable(directory) as address:
        client.settimeout(timeout)
        client.connect(address)
        client.sendall(request)
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < _ANSWER and (data := client.recv(1 << 16)):
            line += data
        return bytes(line)


def _bound(directory: Path) -> socket.socket:
    """The listening socket. What a killed agent left at its place is removed."""
    (directory / NAME).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(server.fileno(), 0o600)  # before it has a name (Linux gives that the socket's mode)
        with _reachable(directory) as address:
            server.bind(address)
        server.listen(_CLIENTS)
    except OSError:
        server.close()
        raise
    return server


@contextmanager
def _reachable(directory: Path) -> Iterator[str]:
    """The socket's path in 108 bytes (unix(7)), whatever the length of the directory's: through an open descriptor."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
