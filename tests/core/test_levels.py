"""Words, letters and numbers of severity become one of five levels, and the word as written stays."""

from __future__ import annotations

import pytest

from logintel.event import Event
from logintel.levels import BUNYAN, LETTERS, PYTHON, SYSLOG, level_of, put_level


@pytest.mark.parametrize(
    ("word", "level"),
    [("TRACE", "DEBUG"), ("fine", "DEBUG"), ("Verbose", "DEBUG"), ("NOTICE", "INFO"), ("LOG", "INFO"), ("CONFIG", "INFO"),
     ("Information", "INFO"), ("warning", "WARN"), ("SEVERE", "ERROR"), ("err", "ERROR"), ("CRITICAL", "FATAL"),
     ("alert", "FATAL"), ("EMERG", "FATAL"), ("PANIC", "FATAL"), (" INFO ", "INFO"), ("terrible", None), ("", None)],
)  # fmt: skip
def test_words(word: str, level: str | None) -> None:
    assert level_of(word) == level
    assert level_of(word) == level


def test_scales() -> None:
    assert SYSLOG == ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
    assert (BUNYAN[30], PYTHON[30], LETTERS["F"]) == ("INFO", "WARN", "FATAL")


def test_the_word_as_written_is_kept_where_it_is_another() -> None:
    event = Event("x")
    put_level(event, "NOTICE", "INFO")
    assert (event.level, event.metadata) == ("INFO", {"level_text": "NOTICE"})
    put_level(same := Event("x"), "ERROR", "ERROR")
    assert (same.level, same.metadata) == ("ERROR", {})
