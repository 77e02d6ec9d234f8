"""Messages: what roles put on Kafka fits there, whatever somebody has sent them."""

from __future__ import annotations

import random
from typing import NamedTuple

import orjson
import pytest

from logintel.bus.topics import DEAD_LETTERS
from logintel.dead_letter import DeadLetter, from_json
from logintel_collector.roles.messages import dead_letters_out, log_id_of


class Read(NamedTuple):
    """What a consumer reads."""

    value: bytes | None
    offset: int = 7
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def letter(original: bytes) -> DeadLetter:
    return DeadLetter("id", "processor", "undecodable", "no JSON", 1, original, "", "2026-11-22T10:00:00.000000Z")


def test_a_letter_fits_on_its_topic_however_large_the_record_was() -> None:
    """A letter that the topic refused was tried again for ever, and its partition stood still."""
    noise = random.Random(1).randbytes(10_000_000)
    ((key, value, _),) = dead_letters_out([letter(noise)])
    assert value is not None
    assert len(key) + len(value) + 1024 < DEAD_LETTERS.max_message_bytes
    read = from_json(orjson.loads(value))
    assert noise.startswith(read.original)
    assert len(read.original) > 2_000_000
    assert read.error == "no JSON; of its 10,000,000 bytes the first 2,097,152 are kept"


def test_a_letter_of_an_ordinary_record_is_whole() -> None:
    original = random.Random(1).randbytes(2 * 1024 * 1024)
    ((_, value, _),) = dead_letters_out([letter(original)])
    assert value is not None
    assert from_json(orjson.loads(value)) == letter(original)


@pytest.mark.parametrize("said", ["", "i" * 600_000])
def test_an_id_that_cannot_be_one_names_no_letter(said: str) -> None:
    body = {"source_id": "s", "log_id": said, "timestamp": "t", "raw_log": "r"}
    made = log_id_of(Read(orjson.dumps(body)), "log-processing", 3)
    assert made == log_id_of(Read(b"no JSON"), "log-processing", 3)
    assert len(made) == 36
