"""Show what the agent would make of a file: one JSON line an event. Nothing is stored.

Each line: {"event": as it would be sent, "lines": [first, last] (from 1; null where there are none), "format": name}.
"""

from __future__ import annotations

import argparse
import codecs
import itertools
import sys
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from logintel.event import Envelope, Event, TimestampOrigin, encode
from logintel.formats import Format, Framer, Reading, decode_records
from logintel.identity import identify, source_id
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
    envelope = Envelope(source_id("parse", args.file, None), {"source_type": args.source})
    try:
        with _opened(args.file) as stream:
            _write(_records(stream, encoding, format_.framer()), format_, reading, envelope, args.file)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise Refused(f"{args.file}: {error.strerror or error}") from error
    return 0


def _write(
    records: Iterator[tuple[str, int, int]], format_: Format, reading: Reading, envelope: Envelope, path: str
) -> None:
    """Decode and print batch by batch. A record's span is its first and last line."""
    stamp, origin = f"{reading.reference.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "received"
    out = sys.stdout.buffer
    while batch := list(itertools.islice(records, _BATCH)):
        entries = decode_records(format_, [text for text, _, _ in batch], reading)
        events = [
            (event, (first, last))
            for entry, (_, first, last) in zip(entries, batch, strict=True)
            for event in (entry if isinstance(entry, tuple) else (entry,))
        ]
        lines = []
        for (event, span), identity in zip(events, identify(path.encode(), [span for _, span in events]), strict=True):
            stated: TimestampOrigin = (
                "record" if event.timestamp else "previous" if origin == "previous" else "received"
            )
            if event.timestamp:
                stamp, origin = event.timestamp, "previous"
            sent = encode(_mark_damage(event), stamp, stated, identity, envelope)
            lines.append(b'{"event":%b,"lines":[%d,%d],"format":%b}\n' % (sent, *span, orjson.dumps(event.format)))
        out.write(b"".join(lines))
    out.flush()


def _records(stream: BinaryIO, encoding: str | None, framer: Framer) -> Iterator[tuple[str, int, int]]:
    """(text, first line, last line) of each record. Blank lines between records belong to none."""
    held: list[str] = []
    number = 0
    first = 1
    lines = _lines(stream, encoding)
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


def _record(lines: Sequence[str], first: int) -> tuple[str, int, int] | None:
    """The record of some lines, without blank ones around it; None where all are blank."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    start = 0
    while start < end and not lines[start].strip():
        start += 1
    return ("\n".join(lines[start:end]), first + start, first + end - 1) if end else None


def _lines(stream: BinaryIO, encoding: str | None) -> Iterator[str]:
    """The lines, LF-separated, without it; a CR before it stays out too."""
    head = stream.read(4)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    name = marked or encoding or "utf-8"
    decoder = codecs.getincrementaldecoder(name)("backslashreplace")
    rest = ""
    for block in itertools.chain((head,), iter(lambda: stream.read(1 << 20), b"")):
        rest += decoder.decode(block)
        *whole, rest = rest.split("\n")
        for line in whole:
            yield line.removesuffix("\r")
    if rest := rest + decoder.decode(b"", final=True):
        yield rest.removesuffix("\r")


def _mark_damage(event: Event) -> Event:
    return event


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
