"""The link between a supervisor and one of its workers: pickled messages, each with its length, over a socket pair.

Only these two hold its ends, and both are this program: what is unpickled was pickled by ourselves.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass
from typing import Any, Final

from logintel_agent.config import AgentConfig
from logintel_agent.seating import Seating

_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker: what it runs."""

    config: AgentConfig
    worker: int
    seating: Seating
    once: bool


@dataclass(frozen=True, slots=True)
class Apply:
    """Run another configuration; see Agent.apply."""

    config: AgentConfig
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Say what you do."""

    streams: bool


@dataclass(frozen=True, slots=True)
class AskStreamCounts:
    """Say how many streams each source has."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Come to an end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """To the request before; `refused`: why it was not done."""

    value: Any = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The last message of a worker: what it did, and what a person should know."""

    summary: dict[str, Any]
    problems: list[str]


async def send(writer: asyncio.StreamWriter, message: object) -> None:
    """Raises OSError: the other end is gone."""
    data = pickle.dumps(message)
    writer.write(_LENGTH.pack(len(data)) + data)
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message; None at the end."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the module
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
