"""The source: the class that a plugin author writes."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import structlog
from pydantic import Field

from logintel.batch import Accept, Batch, Cursor
from logintel.config.process import ProcessConfig
from logintel.config.section import Section
from logintel.duration import Duration
from logintel.event import Envelope, Json
from logintel.formats import FormatRegistry
from logintel.identity import source_id
from logintel.listeners import Listeners, Opener
from logintel.share import Share
from logintel.size import Size
from logintel.standing import Standing

_log = structlog.get_logger(__name__)


class InputExhausted(Exception):
    """Raised by `Source.idle` in a run that ends (`--once`): all there was has been read."""


class SpoolConfig(Section):
    """Room for what a source receives until it is delivered."""

    max_bytes: Annotated[Size, Field(ge=1024 * 1024, description="Most bytes on disk, at least 1MiB.")] = Size("256MiB")
    when_full: Annotated[
        Literal["block", "drop_newest"],
        Field(description="block: senders wait. drop_newest: what comes is dropped and counted until there is room."),
    ] = "block"


class SourceConfig(Section):
    """Keys that every source has."""

    name: Annotated[
        str, Field(description="Name of this source, unique in the installation.", pattern=r"^[\w.-]{1,100}$")
    ]
    type: Annotated[str, Field(description="Source type, as `logintel plugin list` shows it.")]
    description: Annotated[
        str | None, Field(max_length=1000, description="What it is, for people: `logintel sources` shows it.")
    ] = None
    service: Annotated[str | None, Field(description="Service that the events belong to.")] = None
    environment: Annotated[str | None, Field(description="Environment, for example production.")] = None
    host: Annotated[str | None, Field(description="Host name put on the events; the agent's own by default.")] = None
    tags: Annotated[tuple[str, ...], Field(description="Tags put on every event of this source.")] = ()
    silence: Annotated[
        Duration | None,
        Field(description="Without an event for so long it is degraded; learned from its own past by default."),
    ] = None
    spool: SpoolConfig = Field(
        default_factory=SpoolConfig, description="Room for what is received until it is delivered."
    )
    process: Annotated[ProcessConfig | None, Field(description="What is done to the events before they are sent.")] = (
        None
    )


@dataclass(frozen=True)
class SourceContext:
    """What the agent lends a source.

    once     the run ends when all input is read (`--once`)
    formats  every format that is installed
    now      the clock, UTC
    own      directory that the agent itself writes to: reading files of it would feed on itself
    report   tells a person what cannot be read, in one line: what, why, what to do; it fails a run that ends
    notice   tells a person what was left out on purpose
    listeners  keep sockets open while a source is started again; None: nothing does
    share    what of a source that is `split` is this worker's; None: all
    """

    once: bool = False
    formats: FormatRegistry = field(default_factory=FormatRegistry)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    own: str | None = None
    report: Callable[[str], None] = lambda text: _log.error("input_refused", reason=text)
    notice: Callable[[str], None] = lambda text: _log.warning("input_skipped", reason=text)
    listeners: Listeners | None = None
    share: Share | None = None


ConfigClass: TypeAlias = type[SourceConfig]


class Source(ABC):
    """A place where log records come from. Define `batches` (it can be read again), `serve` (it is pushed to us), or
    both.

    The agent makes an instance for each of the two that is defined, calls it once, and may cancel it at any await:
    nothing needs saving, since cursors move only when events are delivered. An exception is reported and the source is
    started again from its cursors, with a growing pause. Bad input must not raise: yield it as an event (see Event).
    """

    type: ClassVar[str]
    Config: ClassVar[ConfigClass] = SourceConfig
    #: Whether two hosts running this source read different things: then the host is part of the source's id.
    host_local: ClassVar[bool] = True
    #: Whether several workers may run `batches` at the same time, each reading what `context.share` says is its own.
    split: ClassVar[bool] = False

    def __init__(self, config: Any, context: SourceContext) -> None:
        self.config = config
        self.context = context

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """Read on from `cursors` (stream name → cursor as saved); a replay from a cursor must give the same events."""
        raise NotImplementedError

    async def serve(self, accept: Accept) -> None:
        """Receive events and `await accept(events)` before answering their sender. Runs until cancelled, or returns
        when no more will come (see `ends`)."""
        raise NotImplementedError

    async def committed(self, stream: str, cursor: Cursor) -> None:  # noqa: B027 - a hook that most sources do not need
        """Called after a stream's events up to `cursor` are delivered and the cursor is saved."""

    def standing(self) -> Standing | None:
        """What it has still to read and what it cannot read, asked for every few seconds; None: it cannot tell."""
        return None

    async def idle(self, seconds: float) -> None:
        """Wait before looking for more input. In a run that ends there is no more: raises InputExhausted."""
        if self.context.once:
            raise InputExhausted
        await asyncio.sleep(seconds)

    def listening(self) -> Mapping[str, Opener]:
        """What it listens on, by a name of the socket; `serve` uses `context.listeners` with the same. A reload opens
        what is new before it stops anything. Raises Refused: it cannot be listened on so."""
        return {}

    def replayable(self) -> bool:
        """Whether this source reads by itself: the agent then runs `batches`."""
        return type(self).batches is not Source.batches

    def pushed(self) -> bool:
        """Whether this source is sent to: the agent then runs `serve`, and keeps what it accepts in a spool."""
        return type(self).serve is not Source.serve

    def ends(self) -> bool:
        """Whether `serve` returns by itself, as with a pipe: a run that ends (`--once`) then waits for it."""
        return False


def envelope(config: SourceConfig, installation: str, *, host_local: bool) -> Envelope:
    """What every event of a source carries. `host_local`: see Source."""
    host = config.host or socket.gethostname()
    metadata: dict[str, Json] = {
        "source_type": config.type,
        "source": config.name,
        "host": host,
        "service": config.service or config.name,
    }
    if config.environment:
        metadata["environment"] = config.environment
    return Envelope(source_id(installation, config.name, host if host_local else None), metadata, config.tags)
