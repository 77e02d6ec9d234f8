"""The application source: log files of applications, and what they send over TCP and UDP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from logintel.batch import Accept, Batch, Cursor
from logintel.formats import Reading
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.inputs.sockets import Address, ListenAddress, SocketInput
from logintel.source import Source


class ApplicationConfig(FileInputConfig):
    """Keys of the application source."""

    paths: Annotated[
        tuple[str, ...],
        Field(description="Files, globs (`**` goes down) and directories (the files under them)."),
    ] = ()
    listen: Annotated[
        tuple[ListenAddress, ...],
        Field(description="Addresses to receive on: tcp://HOST:PORT and udp://HOST:PORT, syslog or lines."),
    ] = ()

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not self.paths and not self.listen:
            raise ValueError("expected `paths`, `listen` or both: there is nothing to read")
        return self


class ApplicationSource(Source):
    """Log files of applications, followed through rotation, and a receiver for syslog and lines."""

    type = "application"
    Config = ApplicationConfig
    config: ApplicationConfig
    _files: FileInput | None = None

    @property
    def unread_bytes(self) -> int:
        """Bytes that were seen in files and were gone before they could be read."""
        return self._files.unread_bytes if self._files else 0

    def replayable(self) -> bool:
        """Whether it reads files."""
        return bool(self.config.paths)

    def pushed(self) -> bool:
        """Whether it receives."""
        return bool(self.config.listen)

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """The files' records, from where each was left."""
        self._files = FileInput(self.config, self.context)
        return self._files.batches(cursors)

    async def serve(self, accept: Accept) -> None:
        """Receive on the addresses of `listen`."""
        form = self.context.formats.create(self.config.format)
        addresses = [Address.parse(text) for text in self.config.listen]
        await SocketInput(addresses, form, self._reading, accept).run()

    def _reading(self) -> Reading:
        return self.config.reading(self.context.now())
