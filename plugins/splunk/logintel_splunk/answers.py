"""Answers: what the HTTP Event Collector says, with the status, text and code that Splunk's own has for it.

Table of codes: Splunk, "Troubleshoot HTTP Event Collector", Possible error codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

import orjson

from logintel.event import Json

_JSON: Final = (b"content-type", b"application/json; charset=UTF-8")
#: Seconds after which a sender may try again.
_AGAIN: Final = (b"retry-after", b"5")


class Answer(NamedTuple):
    """An HTTP answer: status, body, and headers as ASGI has them."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, status: int, content: Mapping[str, Json]) -> Answer:
        """`content` as JSON; one that sends away says when to come back."""
        body = orjson.dumps(content)
        headers = (_JSON, (b"content-length", str(len(body)).encode()))
        return cls(status, body, (*headers, _AGAIN) if status == HTTPStatus.SERVICE_UNAVAILABLE else headers)


class Refusal(Exception):
    """Ends the work on a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


#: code → status, text
_CODES: Final[dict[int, tuple[int, str]]] = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    8: (500, "Internal server error"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"),
    21: (400, "Invalid token"),
    22: (400, "Token disabled"),
    23: (503, "Server is shutting down"),
    27: (413, "Request entity too large"),
}
_ANSWERS: Final = {code: Answer.of(status, {"text": text, "code": code}) for code, (status, text) in _CODES.items()}
SUCCESS: Final = _ANSWERS[0]
NOT_FOUND: Final = Answer.of(404, {"text": "The requested URL was not found on this server.", "code": 404})
NOT_ALLOWED: Final = Answer.of(405, {"text": "Method Not Allowed", "code": 405})
TIMED_OUT: Final = Answer.of(408, {"text": "Request Timeout", "code": 408})
UNSUPPORTED: Final = Answer.of(415, {"text": "Unsupported Media Type", "code": 415})
#: To OPTIONS, with which Docker's log driver tries whether there is a collector.
OPTIONS: Final = Answer(200, b"", ((b"allow", b"OPTIONS, POST"), (b"content-length", b"0")))


def coded(code: int) -> Answer:
    """The answer of a code."""
    return _ANSWERS[code]


def refusal(code: int) -> Refusal:
    """The refusal of a whole request."""
    return Refusal(_ANSWERS[code])


def invalid_event(code: int, number: int) -> Refusal:
    """The refusal of the event `number` (0 is the first) and all behind it; those before it were taken.

    Splunk counts from 0, but for an incorrect index from 1.
    """
    status, text = _CODES[code]
    shown = number + 1 if code == 7 else number
    return Refusal(Answer.of(status, {"text": text, "code": code, "invalid-event-number": shown}))


def acknowledged_later(ack_id: int) -> Answer:
    """Success, with the id under which to ask whether the events are safe."""
    return Answer.of(200, {"text": "Success", "code": 0, "ackId": ack_id})
