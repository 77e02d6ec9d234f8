"""Framing of real logs: every record of the files in data/framing, and the properties that resuming stands on."""

import itertools
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.formats import Framer
from logintel.framing import EndPattern, EveryLine, StackTraces, StartPattern

DATA = Path(__file__).parent / "data" / "framing"
STAMP = re.compile(r"\d{4}-\d\d-\d\d ")
INDENTED = re.compile(r"[ \t]")
SEMICOLON = re.compile(r"[;}]$")
FRAMERS: list[Callable[[], Framer]] = [
    EveryLine,
    StackTraces,
    lambda: StackTraces(max_lines=4, max_characters=200),
    lambda: StartPattern(STAMP),
    lambda: StartPattern(STAMP, max_lines=4, max_characters=200),
    lambda: StartPattern(INDENTED, negated=True),
    lambda: EndPattern(SEMICOLON),
    lambda: EndPattern(SEMICOLON, max_lines=4, max_characters=200),
]


def records_of(path: Path) -> list[str]:
    return path.read_text().removesuffix("\n").split("\n=====\n")


def framed(framer: Framer, lines: Sequence[str]) -> list[str]:
    """The records that `framer` makes of `lines`, each without the blank lines at its end."""
    starts = framer.starts(lines)
    return ["\n".join(lines[a:b]).rstrip() for a, b in itertools.pairwise([*starts, len(lines)])]


GOLDEN = sorted(DATA.glob("*.txt"))
FRAGMENTS = [record.split("\n") for path in GOLDEN for record in records_of(path)]
LINES = sorted({line for fragment in FRAGMENTS for line in fragment} | {"", "  ", "\t", "{", "}", "[", "\\", "x \\"})
logs = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(LINES).map(lambda line: [line])), max_size=12
).map(lambda parts: [line for part in parts for line in part])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_record_of_a_real_log_is_found(path: Path) -> None:
    expected = records_of(path)
    assert framed(StackTraces(), "\n".join(expected).split("\n")) == [record.rstrip() for record in expected]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_blank_lines_between_records_change_nothing(path: Path) -> None:
    expected = records_of(path)
    assert framed(StackTraces(), "\n\n".join(expected).split("\n")) == [record.rstrip() for record in expected]


@pytest.mark.parametrize("make", FRAMERS)
@given(lines=logs, cuts=st.lists(st.integers(0, 60), max_size=8))
def test_the_answer_does_not_depend_on_the_cuts(make: Callable[[], Framer], lines: list[str], cuts: list[int]) -> None:
    framer, found = make(), []
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    for first, last in itertools.pairwise(edges):
        found += [first + index for index in framer.starts(lines[first:last])]
    assert found == list(make().starts(lines))


@pytest.mark.parametrize("make", FRAMERS)
@given(lines=logs)
def test_a_fresh_framer_goes_on_alike_from_any_record(make: Callable[[], Framer], lines: list[str]) -> None:
    starts = list(make().starts(lines))
    for place, start in enumerate(starts):
        assert [start + index for index in make().starts(lines[start:])] == starts[place:]


@pytest.mark.parametrize("make", FRAMERS)
@given(lines=logs)
def test_records_begin_with_the_first_text_and_never_with_a_blank_line(
    make: Callable[[], Framer], lines: list[str]
) -> None:
    starts = list(make().starts(lines))
    assert starts[:1] == [index for index, line in enumerate(lines) if line.strip()][:1]
    assert all(lines[start].strip() for start in starts)
    assert starts == sorted(set(starts))


@pytest.mark.parametrize("make", [FRAMERS[2], FRAMERS[4]])
@given(lines=logs)
def test_no_record_outgrows_its_bounds(make: Callable[[], Framer], lines: list[str]) -> None:
    for record in framed(make(), lines):
        assert record.count("\n") < 4
        assert len(record) <= 200 or "\n" not in record


def test_a_bound_ends_a_record_at_the_same_line_always() -> None:
    lines = ["2026-01-31 10:00:00 failed", *("\tat com.acme.Shop.sell(Shop.java:7)" for _ in range(2500))]
    assert list(StackTraces().starts(lines)) == [0, 1000, 2000]
    assert list(StartPattern(STAMP).starts(lines)) == [0, 1000, 2000]


def test_every_line_is_closed_at_once_and_the_others_wait() -> None:
    framers = EveryLine(), StackTraces(), StartPattern(STAMP)
    for framer in framers:
        framer.starts(["2026-01-31 10:00:00 x"])
    assert [framer.closed for framer in framers] == [True, False, False]


def test_start_pattern_begins_records_at_matches_alone() -> None:
    lines = ["tail of a record", "2026-01-31 a", "b", "", "2026-01-31 c", ""]
    assert list(StartPattern(STAMP).starts(lines)) == [0, 1, 4]


@pytest.mark.parametrize(
    "piece",
    [
        '"\\',
        '"',
        "{",
        "[(",
        "<a ",
        "</",
        "a.",
        "A::",
        ".rb:1:in '",
        ") ",
        "):",
        "0:",
        "=",
        " at ",
        "[1]",
        "Error",
        "\t",
        ".js:1",
    ],
)
def test_hostile_lines_take_no_time(piece: str) -> None:
    body = piece * (100_000 // len(piece))
    heads = [
        "",
        "{",
        '{"a":',
        "<a>",
        "panic: ",
        "2026-01-31 10:00:00 ",
        "[",
        " A (",
        "\t",
        "/",
        "#0 ",
        'File "',
        "x",
        "thread '",
    ]
    lines = [head + body for head in heads for _ in range(2)]
    begun = time.perf_counter()
    StackTraces().starts(lines)
    assert time.perf_counter() - begun < 1.0
