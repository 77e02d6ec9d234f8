"""The standard input: what a program pipes to us, lines made into records as in a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from logintel.batch import Accept
from logintel.event import Event
from logintel.formats import Format, Framer, Reading
from logintel.inputs.files.decoding import marked
from logintel.inputs.files.records import records
from logintel.inputs.files.text import HEAD_BYTES, TextCodec, codec_of
from logintel.inputs.handing_over import hand_over, hand_over_last
from logintel.inputs.readable import held, readable

#: Bytes taken from the pipe at once, and so what one commit holds at most.
_CHUNK: Final = 128 * 1024
#: Most bytes of a pipe, as Linux lets an ordinary user make it (pipe(7): pipe-max-size).
_PIPE: Final = 1024 * 1024
#: Seconds without input after which an open record is taken for whole.
_SETTLE: Final = 1.0


@dataclass(slots=True)
class StdinInput:
    """Reads `fd` to its end and hands records over to `accept` before it takes more: a program that writes faster than
    the disk takes it is held back by the pipe.

    framer    finds where records begin; a new one for each stretch
    encoding  of the input; a byte order mark overrules it
    """

    form: Format
    framer: Callable[[], Framer]
    reading: Callable[[], Reading]
    accept: Accept
    encoding: str | None = None
    fd: int = 0
    _pending: bytes = b""
    _codec: TextCodec | None = None

    async def run(self) -> None:
        """Return at the end of the input, when all of it was accepted. Raises OSError.

        Cancelled, it still hands over what it has read and what is in the pipe: nobody else would ever see it.
        """
        try:
            while data := await self._read():
                self._take(data)
                for events in self._records(len(self._pending), final=False):
                    await hand_over(self.accept, events)
            for events in self._records(len(self._pending), final=True):
                await hand_over(self.accept, events)
        except asyncio.CancelledError:
            self._take(os.read(self.fd, min(held(self.fd), _PIPE)))
            for events in self._records(len(self._pending), final=True):
                await hand_over_last(self.accept, events)
            raise

    async def _read(self) -> bytes:
        """The next bytes, empty at the end. Lines of a record that stays open are handed over while nothing comes; one
        that lacks its line end waits on."""
        while True:
            try:
                async with asyncio.timeout(_SETTLE if self._pending else None):
                    await readable(self.fd)
            except TimeoutError:
                assert self._codec is not None
                for events in self._records(self._codec.whole_lines(self._pending), final=True):
                    await hand_over(self.accept, events)
            else:
                return os.read(self.fd, _CHUNK)

    def _take(self, data: bytes) -> None:
        if self._codec is None:
            self._codec = codec_of(data[:HEAD_BYTES], self.encoding)
            data = data[self._codec.bom :]
        self._pending += data

    def _records(self, size: int, *, final: bool) -> Iterator[list[Event]]:
        """The events of the whole records in the first `size` pending bytes, which are pending no more."""
        while size and self._codec:
            stretch = records(self._pending[:size], 0, self._codec, self.framer(), final=final)
            if not stretch.used:
                return
            self._pending = self._pending[stretch.used :]
            size -= stretch.used
            events, _ = marked(self.form, stretch, self.reading())
            yield [event for event in events if event.raw and not event.raw.isspace()]
