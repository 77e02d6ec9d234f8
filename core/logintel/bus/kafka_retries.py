"""Errors that aiokafka's producer meets and tries again by itself: it tells only its log, so they are heard there.

Without them a cluster that answers "too few replicas in sync" for hours would seem not to answer at all.
"""

from __future__ import annotations

import logging
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

#: In aiokafka/producer/sender.py handle_response warns of (partition, error class or the broker's text).
_LOGGER: Final = logging.getLogger("aiokafka.producer.sender")
_ARGUMENTS: Final = 2
#: Topic → the last such error.
_heard: dict[str, Exception] = {}


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and len(record.args) == _ARGUMENTS:
            place, error = record.args
            if isinstance(place, TopicPartition):
                _heard[place.topic] = error() if isinstance(error, type) else KafkaError(str(error))


def install() -> None:
    """Listen; a second call changes nothing. None of it goes on to the process's own log."""
    if not any(isinstance(handler, _Ear) for handler in _LOGGER.handlers):
        _LOGGER.addHandler(_Ear(logging.WARNING))
        _LOGGER.setLevel(logging.WARNING)
        _LOGGER.propagate = False


def last(topic: str) -> Exception | None:
    """The last error of a batch for `topic` since `forget`."""
    return _heard.get(topic)


def forget(topic: str) -> None:
    """Something worked."""
    _heard.pop(topic, None)
