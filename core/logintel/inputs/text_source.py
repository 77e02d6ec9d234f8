"""The text source: base of sources whose records are text, in files, from sockets or piped to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from logintel.batch import Accept, Batch, Cursor
from logintel.formats import Format, Reading
from logintel.inputs.files import FileInput, TextFilesConfig
from logintel.inputs.sockets import ListenConfig, SocketInput, openers
from logintel.inputs.stdin import StdinInput
from logintel.listeners import Opener
from logintel.source import ConfigClass, Source
from logintel.standing import Standing


class TextSourceConfig(ListenConfig, TextFilesConfig):
    """Keys of a text source; `form` says of which format the records are."""

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


class TextSource(Source):
    """Log files, followed through rotation, and a receiver for syslog, lines and pipes."""

    split = True
    Config: ClassVar[ConfigClass] = TextSourceConfig
    config: TextSourceConfig
    _files: FileInput | None = None

    def replayable(self) -> bool:
        """Whether it reads files."""
        return bool(self.config.paths)

    def pushed(self) -> bool:
        """Whether it receives."""
        return bool(self.config.listen) or self.config.stdin

    def listening(self) -> Mapping[str, Opener]:
        """The addresses of `listen`."""
        return openers(self.config)

    def ends(self) -> bool:
        """The standard input ends; listeners do not, and a run that ends has none."""
        return self.config.stdin and (self.context.once or not self.config.listen)

    @property
    def unread_bytes(self) -> int:
        """Bytes that were seen in files and were gone before they could be read."""
        return self._files.unread_bytes if self._files else 0

    def standing(self) -> Standing | None:
        """Of its files."""
        return self._files.standing() if self._files else None

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """The files' records, from where each was left."""
        self._files = FileInput(self.config, self.context)
        return self._files.batches(cursors)

    async def serve(self, accept: Accept) -> None:
        """Receive on the addresses of `listen` and from the standard input."""
        async with asyncio.TaskGroup() as group:
            if self.config.stdin:
                form = self._form()
                framer = self.config.framing() or form.framer
                stdin = StdinInput(form, framer, self._reading, accept, self.config.encoding)
                group.create_task(stdin.run())
            if self.config.listen and not self.context.once:
                group.create_task(self._receiver(accept).run())

    def _receiver(self, accept: Accept) -> SocketInput:
        return SocketInput(self.config, self._form, self._reading, accept, self.context.listeners)

    def _form(self) -> Format:
        return self.config.form(self.context.formats)

    def _reading(self) -> Reading:
        return self.config.reading(self.context.now())
