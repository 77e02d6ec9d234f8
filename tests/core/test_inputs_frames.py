"""Framing of connections: records come out the same however their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logintel.inputs.sockets import MAX_RECORD, Frames

RECORDS = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda data: b"\n" not in data and not data[:1].isdigit()), max_size=6
)


@given(RECORDS, st.lists(st.booleans(), min_size=6, max_size=6), st.lists(st.integers(0, 400), max_size=5))
def test_frames_are_the_same_however_the_bytes_arrive(
    records: list[bytes], counted: list[bool], cuts: list[int]
) -> None:
    data = b"".join(
        b"%d <%b" % (len(record) + 1, record) if octets else record + b"\n"
        for record, octets in zip(records, counted, strict=False)
    )
    frames, found = Frames(), []
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(bounds):
        found += frames.feed(data[start:end])
    expected = [b"<" + record if octets else record for record, octets in zip(records, counted, strict=False)]
    assert [record for record, _ in found + frames.end()] == expected


def test_a_last_line_without_line_end_counts() -> None:
    frames = Frames()
    assert frames.feed(b"whole\npart") == [(b"whole", False)]
    assert frames.end() == [(b"part", False)]
    assert frames.end() == []


def test_a_counted_record_that_never_came_whole_is_a_piece() -> None:
    frames = Frames()
    assert frames.feed(b"99 <34>half a rec") == []
    assert frames.end() == [(b"<34>half a rec", True)]


def test_a_line_over_the_limit_comes_in_marked_pieces() -> None:
    frames = Frames()
    found = frames.feed(b"x" * (2 * MAX_RECORD + 5) + b"\nnext\n")
    assert [(len(record), cut) for record, cut in found] == [
        (MAX_RECORD, True),
        (MAX_RECORD, True),
        (5, False),
        (4, False),
    ]


def test_a_line_that_begins_with_a_number_is_a_line() -> None:
    frames = Frames()
    assert [record for record, _ in frames.feed(b"200 OK\n404 not found\n7 <34>a b")] == [
        b"200 OK",
        b"404 not found",
        b"<34>a b",
    ]
