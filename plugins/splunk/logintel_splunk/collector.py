"""The collector: an ASGI application that takes requests as Splunk's HTTP Event Collector does."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from itertools import islice
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import orjson
import structlog

from logintel.batch import Accept, Full
from logintel.source import SourceContext
from logintel_splunk.acknowledgements import Acknowledgements
from logintel_splunk.answers import (
    NOT_ALLOWED,
    NOT_FOUND,
    OPTIONS,
    SUCCESS,
    Answer,
    Refusal,
    acknowledged_later,
    coded,
    refusal,
)
from logintel_splunk.bodies import Bodies, Receive
from logintel_splunk.config import SplunkConfig
from logintel_splunk.envelopes import envelopes
from logintel_splunk.events import Decoder, Sender
from logintel_splunk.raw_text import raw_records, said_of
from logintel_splunk.records import Record
from logintel_splunk.tokens import Tokens

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
#: What a request says beside its body: headers, and parameters of the query string.
Headers: TypeAlias = Mapping[bytes, bytes]
Query: TypeAlias = Mapping[str, str]
_Work: TypeAlias = Callable[[Scope, Receive, Headers, Query], Awaitable[Answer]]

#: Records that are decoded and kept at a time: a request that has more does not hold the others up.
_STEP: Final = 1000
#: Requests worked on at a time; more are answered 503.
_AT_ONCE: Final = 512
#: Seconds that a request waits for room for its next records when its first ones were taken, and between looks.
_WAIT, _LOOK = 30.0, 0.2
#: Seconds after it had no room in which the collector is unhealthy; then the next sender may try.
_UNHEALTHY: Final = 5.0
_LONGEST_CHANNEL: Final = 128
_MOST_IDS: Final = 100_000
_PATH: Final = "/services/collector"
_log = structlog.get_logger(__name__)


class Collector:
    """Takes events for `accept`, and answers when they are on disk."""

    def __init__(self, config: SplunkConfig, context: SourceContext, accept: Accept) -> None:
        self._accept = accept
        self._tokens = None if config.anonymous else Tokens(config.tokens)
        self._bodies = Bodies(int(config.max_content))
        self._acks = Acknowledgements(config.max_channels)
        self._decoder = Decoder(config, context)
        self._working = 0
        self._full_until = 0.0
        self._refused: Counter[int] = Counter()
        self._routes: dict[str, tuple[str, _Work]] = {_PATH: ("POST", self._events)}
        for name, method, work in (
            ("event", "POST", self._events),
            ("raw", "POST", self._raw),
            ("ack", "POST", self._acknowledge),
            ("health", "GET", self._health),
        ):
            route = method, work
            self._routes[f"{_PATH}/{name}"] = self._routes[f"{_PATH}/{name}/1.0"] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI, HTTP connection scope."""
        self._working += 1
        try:
            answer = await self._answer(scope, receive)
        except Refusal as refused:
            answer = refused.answer
            self._count(answer, scope)
        except Full:
            self._full_until = time.monotonic() + _UNHEALTHY
            answer = coded(9)
        except asyncio.CancelledError:  # a stop that waited long enough: whether the events are kept is not known
            answer = coded(23)
        except Exception as error:  # noqa: BLE001 - a request that we do not understand must not end the others
            _log.error("request_failed", path=scope["path"], exc_info=error)
            answer = coded(8)
        finally:
            self._working -= 1
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _count(self, answer: Answer, scope: Scope) -> None:
        """Tell of a refusal, when their number has doubled."""
        before = self._refused[answer.status]
        self._refused[answer.status] = before + 1
        if before.bit_length() != (before + 1).bit_length():
            _log.warning(
                "requests_refused",
                status=answer.status,
                total=before + 1,
                answer=answer.body.decode(),
                path=scope["path"],
                peer=_peer(scope),
            )

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        route = self._routes.get(scope["path"].rstrip("/"))
        if route is None:
            return NOT_FOUND
        method, work = route
        if scope["method"] == "OPTIONS":
            return OPTIONS
        if scope["method"] != method:
            return NOT_ALLOWED
        if self._working > _AT_ONCE:
            return coded(9)
        return await work(scope, receive, dict(scope["headers"]), _query(scope["query_string"]))

    async def _health(self, _scope: Scope, _receive: Receive, _headers: Headers, query: Query) -> Answer:
        if self._tokens:
            self._tokens.check_health(query)
        return coded(18 if time.monotonic() < self._full_until else 17)

    async def _events(self, scope: Scope, receive: Receive, headers: Headers, query: Query) -> Answer:
        sender = self._sender(scope, headers, query)
        with self._bodies.held() as body:
            text = await body.text(receive, headers.get(b"content-encoding", b"").lower())
            return await self._kept(envelopes(text, _indexes(sender)), sender)

    async def _raw(self, scope: Scope, receive: Receive, headers: Headers, query: Query) -> Answer:
        sender = self._sender(scope, headers, query)
        said, stamp = said_of(query, _indexes(sender))
        with self._bodies.held() as body:
            text = await body.text(receive, headers.get(b"content-encoding", b"").lower())
            form = self._decoder.form(sender, said.sourcetype)
            return await self._kept(raw_records(text, form, said, stamp), sender)

    async def _acknowledge(self, scope: Scope, receive: Receive, headers: Headers, query: Query) -> Answer:
        sender = self._sender(scope, headers, query)
        if not (sender.token and sender.token.ack):
            raise refusal(14)
        with self._bodies.held() as body:
            asked = _asked(await body.text(receive, headers.get(b"content-encoding", b"").lower()))
        told = self._acks.tell((sender.token.name, sender.channel), asked)
        return Answer.of(200, {"acks": {str(ack_id): safe for ack_id, safe in told.items()}})

    def _sender(self, scope: Scope, headers: Headers, query: Query) -> Sender:
        token = self._tokens.holder(headers.get(b"authorization"), query) if self._tokens else None
        channel = query.get("channel") or headers.get(b"x-splunk-request-channel", b"").decode("latin-1")
        if token and token.ack and not channel:
            raise refusal(10)
        if len(channel) > _LONGEST_CHANNEL or not channel.isprintable():
            raise refusal(11)
        forwarded = headers.get(b"x-forwarded-for", b"").partition(b",")[0].strip().decode("latin-1")[:100]
        return Sender(_peer(scope), forwarded, token, channel)

    async def _kept(self, records: Iterator[Record], sender: Sender) -> Answer:
        """Keep them; at a bad one those before it. Raises Refusal, and Full when none was kept."""
        place = (sender.token.name, sender.channel) if sender.token and sender.token.ack else None
        if place:
            self._acks.open(place)
        kept = 0
        bad: Refusal | None = None
        while bad is None:
            part, bad = _part(records)
            if part:
                await self._keep(part, sender, patient=kept > 0)
                kept += len(part)
            if bad is None and len(part) < _STEP:
                break
        if bad is not None:
            raise bad
        if not kept:
            raise refusal(5)
        return acknowledged_later(self._acks.give(place)) if place else SUCCESS

    async def _keep(self, part: list[Record], sender: Sender, *, patient: bool) -> None:
        events = self._decoder.events(part, sender)
        deadline = time.monotonic() + _WAIT
        while True:
            try:
                await self._accept(events)
            except ValueError:  # one of them is more than the spool takes
                raise refusal(27) from None
            except Full:
                if not patient or time.monotonic() > deadline:
                    raise
            else:
                self._full_until = 0.0
                return
            await asyncio.sleep(_LOOK)


def _part(records: Iterator[Record]) -> tuple[list[Record], Refusal | None]:
    """The next good ones, and what is said of the bad one behind them."""
    part: list[Record] = []
    try:
        for record in islice(records, _STEP):
            part.append(record)  # noqa: PERF402 - what came before the bad one is kept
    except Refusal as refused:
        return part, refused
    return part, None


def _peer(scope: Scope) -> str:
    host: str = (scope.get("client") or ("",))[0]
    return host


def _indexes(sender: Sender) -> frozenset[str]:
    return frozenset(sender.token.indexes) if sender.token else frozenset()


def _query(text: bytes) -> Query:
    if not text:
        return {}
    try:
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=64))
    except ValueError:
        raise refusal(6) from None


def _asked(text: str) -> list[int]:
    """The ids of `{"acks":[…]}`. Raises Refusal with code 6."""
    try:
        ids = orjson.loads(text)["acks"]
    except (ValueError, TypeError, KeyError):
        raise refusal(6) from None
    if not isinstance(ids, list) or len(ids) > _MOST_IDS or not all(type(ack_id) is int for ack_id in ids):
        raise refusal(6)
    return ids
