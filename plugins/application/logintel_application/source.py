"""The application source: log files of applications, and what they send over sockets or pipe to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from logintel.batch import Accept, Batch, Cursor
from logintel.formats import Format, Reading
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.inputs.sockets import ListenConfig, SocketInput
from logintel.inputs.stdin import StdinInput
from logintel.source import Source


class ApplicationConfig(ListenConfig, FileInputConfig):
    """Keys of the application source."""

    paths: Annotated[
        tuple[str, ...],
        Field(description="Files, globs (`**` goes down) and directories (the files under them)."),
    ] = ()
    stdin: Annotated[
        bool, Field(description="Read what is piped to this process, to its end; one source alone may.")
    ] = False

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not (self.paths or self.listen or self.stdin):
            raise ValueError("expected `paths`, `listen` or `stdin`: there is nothing to read")
        return self


class ApplicationSource(Source):
    """Log files of applications, followed through rotation, and a receiver for syslog, lines and pipes."""

    type = "application"
    Config = ApplicationConfig
    config: ApplicationConfig

    def replayable(self) -> bool:
        """Whether it reads files."""
        return bool(self.config.paths)

    def pushed(self) -> bool:
        """Whether it receives."""
        return bool(self.config.listen) or self.config.stdin

    def ends(self) -> bool:
        """The standard input ends; listeners do not, and a run that ends has none."""
        return self.config.stdin and (self.context.once or not self.config.listen)

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """The files' records, from where each was left."""
        return FileInput(self.config, self.context).batches(cursors)

    async def serve(self, accept: Accept) -> None:
        """Receive on the addresses of `listen` and from the standard input."""
        async with asyncio.TaskGroup() as group:
            if self.config.stdin:
                form = self._form()
                framer = self.config.framing() or form.framer
                stdin = StdinInput(form, framer, self._reading, accept, self.config.encoding)
                group.create_task(stdin.run())
            if self.config.listen and not self.context.once:
                group.create_task(SocketInput(self.config, self._form, self._reading, accept).run())

    def _form(self) -> Format:
        return self.context.formats.create(self.config.format)

    def _reading(self) -> Reading:
        return self.config.reading(self.context.now())
