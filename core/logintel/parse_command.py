"""Show what the agent would make of a file: one JSON line an event. Nothing is stored.

Each line: {"event": as it would be sent, "lines": [first, last] (from 1; null where there are none), "format": name}.
"""

from __future__ import annotations

import argparse
import codecs
import itertools
import os
import re
import sys
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import orjson

from logintel.event import Envelope, Event, TimestampOrigin, encode
from logintel.formats import Format, Framer, Reading, decode_records
from logintel.identity import Identity, identify, source_id
from logintel.refused import Refused

EXAMPLES: Final = """
logintel parse /var/log/syslog
logintel parse --format java --timezone Europe/Berlin server.log
journalctl -o json | logintel parse --format json -
"""

#: Lines that are framed and decoded in one go.
_BATCH: Final = 4096
#: Byte order marks, the longer ones first: UTF-32's begins with UTF-16's.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


#: Bytes that are no text in the encoding, on their way through the decoder: U+DC00 and the byte.
_DAMAGE: Final = re.compile("[\udc00-\udcff]")


class Record(NamedTuple):
    """A record's text, its first and last line (from 1), and whether bytes in it were no text."""

    text: str
    first: int
    last: int
    damaged: bool


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="the file to read; - is standard input")
    parser.add_argument("--source", metavar="TYPE", default="application", help="source type (default: application)")
    parser.add_argument("--format", metavar="NAME", default="auto", help="format of the records (default: auto)")
    parser.add_argument("--timezone", metavar="TZ", default="UTC", help="zone of stamps that name none (default: UTC)")
    parser.add_argument(
        "--encoding", metavar="NAME", help="encoding where no byte order mark tells it (default: utf-8)"
    )
    parser.add_argument("--now", metavar="ISO", help="the time to take for now (default: the clock)")


def run(args: argparse.Namespace) -> int:
    """Write the events to standard output; the exit code."""
    try:
        format_ = _format(args.format)
        reading = Reading(_zone(args.timezone), _now(args.now))
        encoding = _encoding(args.encoding)
    except (LookupError, ValueError) as error:
        sys.stderr.write(f"logintel parse: {error}\n")
        return 2
    try:
        with _opened(args.file) as stream:
            records = _records(_lines(stream, encoding), format_.framer())
            fallback = _fallback(stream, reading, named=args.file != "-")
            envelope = Envelope(source_id("parse", args.file, None), {"source_type": args.source})
            for events, spans in _decoded(records, format_, reading):
                identities = identify(args.file.encode("utf-8", "surrogateescape"), spans)
                sys.stdout.buffer.writelines(_encoded(events, spans, identities, envelope, fallback))
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(f"{args.file}: {error.strerror or error}") from error
    return 0


class _Fallback:
    """The stamp of events that state none: the last one that did, else the file's own time, else now."""

    def __init__(self, stamp: str, origin: TimestampOrigin) -> None:
        self._stamp = stamp
        self._origin = origin

    def verdict(self, event: Event) -> tuple[str, TimestampOrigin]:
        if event.timestamp is None:
            return self._stamp, self._origin
        self._stamp, self._origin = event.timestamp, "previous"
        return event.timestamp, "record"


def _fallback(stream: BinaryIO, reading: Reading, *, named: bool) -> _Fallback:
    moment = datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC) if named else reading.reference
    return _Fallback(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "mtime" if named else "received")


def _decoded(
    records: Iterator[Record], format_: Format, reading: Reading
) -> Iterator[tuple[list[Event], list[tuple[int, int]]]]:
    """Events and the lines of each, batch by batch."""
    while batch := list(itertools.islice(records, _BATCH)):
        events: list[Event] = []
        spans: list[tuple[int, int]] = []
        for entry, record in zip(decode_records(format_, [r.text for r in batch], reading), batch, strict=True):
            for event in entry if isinstance(entry, tuple) else (entry,):
                if record.damaged:
                    event.tags.append("_damaged")
                    event.metadata["decode_error"] = "bytes that are no text in the encoding stand as \\xNN"
                events.append(event)
                spans.append((record.first, record.last))
        yield events, spans


def _encoded(
    events: Sequence[Event],
    spans: Sequence[tuple[int, int]],
    identities: Iterator[Identity],
    envelope: Envelope,
    fallback: _Fallback,
) -> Iterator[bytes]:
    """A line of output for each event."""
    for event, span, identity in zip(events, spans, identities, strict=True):
        sent = encode(event, *fallback.verdict(event), identity, envelope)
        yield b'{"event":%b,"lines":[%d,%d],"format":%b}\n' % (sent, *span, orjson.dumps(event.format))


def _records(lines: Iterator[str], framer: Framer) -> Iterator[Record]:
    """Each record. Blank lines between records belong to none."""
    held: list[str] = []
    number = 0
    first = 1
    while batch := list(itertools.islice(lines, _BATCH)):
        cut = 0
        for start in framer.starts(batch):
            if record := _record([*held, *batch[cut:start]], first):
                yield record
            held, cut, first = [], start, number + start + 1
        held += batch[cut:]
        number += len(batch)
    if record := _record(held, first):
        yield record


def _record(lines: Sequence[str], first: int) -> Record | None:
    """The record of some lines, without blank ones around it; None where all are blank."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    start = 0
    while start < end and not lines[start].strip():
        start += 1
    if not end:
        return None
    text = "\n".join(lines[start:end])
    mended = text if text.isascii() else _DAMAGE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", text)
    return Record(mended, first + start, first + end - 1, mended is not text and mended != text)


def _lines(stream: BinaryIO, encoding: str | None) -> Iterator[str]:
    """The lines, LF-separated, without it; a CR before it stays out too."""
    head = stream.read(4)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    name = marked or encoding or "utf-8"
    decoder = codecs.getincrementaldecoder(name)(_keep_bytes.__name__)
    rest = ""
    for block in itertools.chain((head,), iter(lambda: stream.read(1 << 20), b"")):
        rest += decoder.decode(block)
        *whole, rest = rest.split("\n")
        for line in whole:
            yield line.removesuffix("\r")
    if rest := rest + decoder.decode(b"", final=True):
        yield rest.removesuffix("\r")


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    """Error handler of the decoder: each byte as one character of the range that `_DAMAGE` finds again."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_keep_bytes.__name__, _keep_bytes)


def _opened(path: str) -> BinaryIO:
    return sys.stdin.buffer if path == "-" else Path(path).open("rb")


def _format(name: str) -> Format:
    """Raises LookupError that lists the known names."""
    from logintel.hooks import load_plugins  # noqa: PLC0415 - plugins are loaded when a command needs them

    return load_plugins().formats.create(name)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise LookupError(
            f"unknown time zone {name!r}; known are the IANA names, for example UTC, Europe/Berlin"
        ) from None


def _now(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--now {text!r} is no ISO 8601 time, for example 2026-11-22T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _encoding(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        codecs.lookup(name)
    except LookupError:
        raise LookupError(
            f"unknown encoding {name!r}; known are Python's names, for example utf-8, utf-16-le, cp1252"
        ) from None
    return name
