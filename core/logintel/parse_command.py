"""Show what the agent would make of a file: one JSON line an event. Nothing is stored.

Each line: {"event": as it would be sent, "lines": [first, last] (from 1; null where there are none), "format": name}.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from logintel.encoder import Encoder
from logintel.event import Envelope, Event, TimestampOrigin, decode
from logintel.formats import Format, Reading
from logintel.identity import identify
from logintel.inputs.files.decoding import marked
from logintel.inputs.files.fixed import codec_for
from logintel.inputs.files.records import Stretch, records
from logintel.inputs.files.text import TextCodec
from logintel.refused import Refused

EXAMPLES: Final = """
logintel parse /var/log/syslog
logintel parse --format java --timezone Europe/Berlin server.log
journalctl -o json | logintel parse --format json -
"""
#: Bytes read at once.
_BLOCK: Final = 1 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="the file to read; - is standard input")
    parser.add_argument("--source", metavar="TYPE", default="application", help="source type (default: application)")
    parser.add_argument("--format", metavar="NAME", default="auto", help="format of the records (default: auto)")
    parser.add_argument(
        "--timezone", metavar="TZ", default="local", help="zone of stamps that name none (default: the host's)"
    )
    parser.add_argument(
        "--encoding", metavar="NAME", help="encoding where no byte order mark tells it (default: utf-8)"
    )
    parser.add_argument("--now", metavar="ISO", help="the time to take for now (default: the clock)")


def run(args: argparse.Namespace) -> int:
    """Write the events to standard output; the exit code."""
    from logintel.hooks import load_plugins  # noqa: PLC0415 - plugins are loaded when a command needs them
    from logintel.inputs.files.config import FileInputConfig  # noqa: PLC0415 - as above
    from logintel.source import envelope  # noqa: PLC0415 - as above

    plugins = load_plugins()
    try:
        now = _now(args.now)
        format_ = plugins.formats.create(args.format)
        _known("source type", args.source, plugins.sources)
        config = FileInputConfig(
            name="parse", type=args.source, paths=(args.file,), timezone=args.timezone, encoding=args.encoding
        )
    except (LookupError, ValueError) as error:
        sys.stderr.write(f"logintel parse: {_reason(error)}\n")
        return 2
    out = _Output(args.file, envelope(config, "logintel", host_local=True), format_, config.reading(now))
    try:
        with sys.stdin.buffer if args.file == "-" else Path(args.file).open("rb") as stream:
            if args.file != "-":
                out.starts_at(datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC), "mtime")
            for stretch, line in _stretches(stream, config.encoding, format_):
                sys.stdout.buffer.writelines(out.encoded(stretch, line))
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(f"{args.file}: {error.strerror or error}") from error
    return 0


def _stretches(stream: BinaryIO, told: str | None, form: Format) -> Iterator[tuple[Stretch, int]]:
    """Whole records, as the file input finds them, and the number of lines before each stretch."""
    data = stream.read(_BLOCK)
    codec = codec_for(data, told, form.fixed)
    base, line = codec.bom, 0
    data = data[base:]
    final = False
    while data or not final:
        stretch = records(data, base, codec, form.framer(), final=final) if data else None
        if stretch and stretch.used:
            yield stretch, line
            line += _line_ends(data[: stretch.used], codec)
            base, data = base + stretch.used, data[stretch.used :]
        else:
            block = stream.read(_BLOCK)
            data, final = data + block, not block


def _line_ends(data: bytes, codec: TextCodec) -> int:
    return data.count(b"\n") if codec.width == 1 else data.decode(codec.name, "replace").count("\n")


class _Output:
    """Events as the agent would send them. One that states no time gets that of the one before, or the file's."""

    def __init__(self, name: str, envelope: Envelope, form: Format, reading: Reading) -> None:
        self._stream = name.encode("utf-8", "surrogateescape")
        self._encoder = Encoder(envelope, {"log_file": name})
        self._form = form
        self._reading = reading
        self.starts_at(reading.reference, "received")

    def starts_at(self, moment: datetime, origin: TimestampOrigin) -> None:
        """The stamp of events before the first that states one."""
        self._stamp = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        self._origin: TimestampOrigin = origin

    def encoded(self, stretch: Stretch, line: int) -> Iterator[bytes]:
        """A line of output for each event; `line` lines stand before the stretch."""
        events, numbers = marked(self._form, stretch, self._reading)
        log_ids, _ = identify(self._stream, [stretch.spans[number] for number in numbers])
        for event, number, log_id in zip(events, numbers, log_ids, strict=True):
            first, last = stretch.lines[number] if stretch.lines else (number, number)
            sent = orjson.dumps(decode(self._encoder.encode(event, *self._verdict(event), log_id)))
            place = line + first + 1, line + last + 1
            yield b'{"event":%b,"lines":[%d,%d],"format":%b}\n' % (sent, *place, orjson.dumps(event.format))

    def _verdict(self, event: Event) -> tuple[str, TimestampOrigin]:
        if event.timestamp is None:
            return self._stamp, self._origin
        self._stamp, self._origin = event.timestamp, "previous"
        return event.timestamp, "record"


def _now(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--now {text!r} is no ISO 8601 time, for example 2026-11-22T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known(kind: str, name: str, names: object) -> None:
    """Raises LookupError that lists the known names."""
    assert hasattr(names, "__iter__")
    if name not in set(names):
        raise LookupError(f"unknown {kind} {name!r}; known: {', '.join(sorted(names))}")


def _reason(error: Exception) -> str:
    """What is wrong, in one line: pydantic's report without its frame."""
    from pydantic import ValidationError  # noqa: PLC0415 - as in `run`

    if isinstance(error, ValidationError):
        return "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
    return str(error)
