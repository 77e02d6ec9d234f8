"""Poison: records that a broken or hostile sender puts on the topics, each with its mark where it can have one.

Each of them ends as a document, a row, or a dead letter that names it, and keeps nothing else from being stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from collector_faults.marks import mark_of
from logintel.bus.kafka_batch import Message
from logintel.identity import identify, named_id, seq_of, source_id

MEGABYTE: Final = 1_000_000
_DEEP: Final = 5000
#: Bytes after which a text comes again, so that it fits on the bus; in base64, as a dead letter has it, it does not.
_PERIOD: Final = 6400
#: A text that no compression of the bus makes much smaller.
_NOISE: Final = random.Random(0).randbytes(45_000).hex()

#: A well-formed event, and what is sent in its place.
Spoiler = Callable[[dict[str, Any]], bytes]


def _with(**changes: Any) -> Spoiler:
    return lambda event: orjson.dumps({**event, **changes})


def _metadata(**more: Any) -> Spoiler:
    return lambda event: orjson.dumps({**event, "metadata": {**event["metadata"], **more}})


def _named(*names: str) -> Spoiler:
    return _metadata(**dict.fromkeys(names, "x"))


def _without(name: str) -> Spoiler:
    return lambda event: orjson.dumps({key: value for key, value in event.items() if key != name})


def _longer(size: int) -> Spoiler:
    return lambda event: orjson.dumps({**event, "raw_log": event["raw_log"] + "x" * size})


def _raw_metadata(json: bytes) -> Spoiler:
    return lambda event: orjson.dumps(event).replace(b'"metadata":{', b'"metadata":{"raw":' + json + b",", 1)


def _mark(event: dict[str, Any]) -> bytes:
    return str(event["message"]).encode()


#: What a sender may put on log-ingestion.
ON_INGESTION: Final[dict[str, Spoiler]] = {
    "no UTF-8": lambda event: b"\xff\xfe " + _mark(event),
    "no JSON": lambda event: b"<13>Nov 22 " + _mark(event),
    "broken off": lambda event: orjson.dumps(event)[:-20],
    "a list": lambda event: orjson.dumps([event]),
    "a text": lambda event: orjson.dumps(event["message"]),
    "no timestamp": _without("timestamp"),
    "no source_id": _without("source_id"),
    "timestamp a number": _with(timestamp=1764068400),
    "timestamp a word": _with(timestamp="yesterday"),
    "timestamp of year 1": _with(timestamp="0001-01-01T00:00:00Z"),
    "timestamp of year 9999": _with(timestamp="9999-12-31T23:59:59.999999-12:00"),
    "tags a text": _with(tags="none"),
    "tags of objects": _with(tags=[{"a": 1}]),
    "metadata a list": _with(metadata=[1]),
    "parsed_fields of objects": _with(parsed_fields={"host": {"name": "a"}, "line_number": "no number"}),
    "level unknown": _with(level="LOUD"),
    "message a number": _with(message=7),
    "source_id a word": _with(source_id="shop"),
    "source_id of 40 kB": _with(source_id="s" * 40_000),
    "log_id empty": _with(log_id=""),
    "log_id of 600 characters": _with(log_id="i" * 600),
    "log_id of 600 kB": _with(log_id="i" * 600_000),
    "log_id with quotes": _with(log_id='"}}\n{"delete":{}}'),
    "log_id with NUL": _with(log_id="a\0b"),
    "NUL in texts": lambda event: orjson.dumps(
        {**event, "raw_log": event["raw_log"] + "\0", "message": event["message"] + "\0", "tags": ["\0"]}
    ),
    "NUL in names": _named("a\0b", "\0"),
    "NUL as a source": _metadata(source="a\0b", source_type="\0"),
    "lone surrogate": lambda event: orjson.dumps(event).replace(b'"raw_log":"', b'"raw_log":"\\ud800'),
    "10 MB": _longer(10 * MEGABYTE),
    "10 MB of metadata": _metadata(blob="m" * 10 * MEGABYTE),
    "10 MB that is no JSON": lambda event: _mark(event) + b"x" * 10 * MEGABYTE,
    "10 MB that is no JSON, and no letter's size": lambda event: (
        _mark(event) + _NOISE.encode()[:_PERIOD] * (10 * MEGABYTE // _PERIOD)
    ),
    "1 MB of a text that hardly compresses": lambda event: orjson.dumps(
        {**event, "raw_log": event["raw_log"] + _NOISE * 8}
    ),
    "name empty": _named("", " "),
    "names of dots": _named(".", "..", ".a", "a.", "a..b"),
    "name _id": _named("_id", "_source", "_index", "_type", "_ignored"),
    "name that is a path": _named("a.b", "a.b.c", "source.name", "a"),
    "name of 1 MB": _named("n" * MEGABYTE),
    "name of 40 kB of parts": _named("p." * 20_000 + "p"),
    "5,000 fields": lambda event: _named(*(f"{_mark(event).hex()}_{n}" for n in range(5000)))(event),
    "conflict: a number": _metadata(conflict=1),
    "conflict: a text": _metadata(conflict="one"),
    "conflict: an object": _metadata(conflict={"one": {"two": 2}}),
    "conflict: a list": _metadata(conflict=[[1], ["a"], {"b": 1}]),
    "nested 30 deep": _raw_metadata(b'{"a":' * 30 + b"1" + b"}" * 30),
    "nested 250 deep": _raw_metadata(b'{"a":' * 250 + b"1" + b"}" * 250),
    "lists 250 deep": _raw_metadata(b"[" * 250 + b"]" * 250),
    "nested 1,000 deep": _raw_metadata(b'{"a":' * 1000 + b"1" + b"}" * 1000),
    "nested 5,000 deep": _raw_metadata(b"[" * _DEEP + b"]" * _DEEP),
    "100,000 numbers": _metadata(numbers=list(range(100_000))),
    "a number beyond 64 bits": _raw_metadata(b"123456789012345678901234567890"),
    "a number beyond doubles": _raw_metadata(b"1e999"),
    "a number of 4,000 digits": _raw_metadata(b"9" * 4000),
    "tag of 40 kB": _with(tags=["t" * 40_000]),
    "category of 1 MB": _metadata(category="c" * MEGABYTE),
    "keys twice": lambda event: orjson.dumps(event)[:-1] + b',"message":' + orjson.dumps(event["message"]) + b"}",
    "pretty-printed": lambda event: orjson.dumps(event, option=orjson.OPT_INDENT_2),
}
#: What somebody may put on log-processing, past the processor: (value, headers) of a well-formed document.
ON_PROCESSING: Final[dict[str, Callable[[dict[str, Any]], tuple[bytes, list[tuple[str, bytes]]]]]] = {
    "document: no JSON": lambda doc: (b"no JSON " + _mark(doc), _headers(doc)),
    "document: no JSON, in two lines": lambda doc: (b'{"delete":{}}\n' + _mark(doc), _headers(doc)),
    "document: no headers": lambda doc: (orjson.dumps(doc), []),
    "document: id of 600": lambda doc: (orjson.dumps(doc), [("log_id", b"i" * 600), ("day", b"2026.11.22")]),
    "document: id that breaks out": lambda doc: (orjson.dumps(doc), [("log_id", b'"}}\n{"delete":'), ("day", b"")]),
    "document: day that is none": lambda doc: (orjson.dumps(doc), [*_headers(doc)[:1], ("day", b"../secret")]),
    "document: pretty-printed": lambda doc: (orjson.dumps(doc, option=orjson.OPT_INDENT_2), _headers(doc)),
    "document: only a message": lambda doc: (orjson.dumps({"message": doc["message"]}), _headers(doc)),
    "document: wrong types": lambda doc: (orjson.dumps({**doc, "size_bytes": "many", "tags": 7}), _headers(doc)),
    "document: a list": lambda doc: (orjson.dumps([doc]), _headers(doc)),
    "document: lone surrogate": lambda doc: (
        orjson.dumps(doc).replace(b'"raw_log":"', b'"raw_log":"\\ud800'),
        _headers(doc),
    ),
}


def _headers(document: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [("log_id", str(document["log_id"]).encode()), ("day", b""), ("seq", seq_of(1)), ("schema", b"1")]


def on_ingestion(kind: str, writer: str, number: int) -> Message:
    """The record number `number` of a stream of poison."""
    stream = _stream(writer)
    ids, seqs = identify(stream, [(number, number + 1)])
    event = _event(writer, number, ids[0])
    return stream, ON_INGESTION[kind](event), [("seq", seqs[0]), ("schema", b"1")]


def on_processing(kind: str, writer: str, number: int) -> Message:
    """A record that no processor has made."""
    document = {
        **_event(writer, number, named_id("poison", writer, str(number))),
        "category": None,
        "size_bytes": 7,
        "processing_status": "processed",
        "created_at": _now(),
    }
    value, headers = ON_PROCESSING[kind](document)
    return _stream(writer), value, headers


def _stream(writer: str) -> bytes:
    return writer.encode().ljust(16, b".")


def _event(writer: str, number: int, log_id: str) -> dict[str, Any]:
    message = f"poison {mark_of(writer, number)}"
    return {
        "log_id": log_id,
        "timestamp": _now(),
        "message": message,
        "raw_log": message,
        "source_id": source_id("faults", writer, None),
        "level": "INFO",
        "tags": [],
        "parsed_fields": {},
        "metadata": {"source": writer, "source_type": "custom"},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
