"""Identities: the same at every replay, sequential in a stream, different between streams."""

from __future__ import annotations

import uuid
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logintel.identity import counted, identify, named_id, new_stream_id, position_of, seq_of, source_id

STREAMS = st.binary(min_size=16, max_size=16)
OFFSETS = st.integers(0, 2**46 - 1)


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Spans as a source gives them: in order, some shared by several events."""
    marks = sorted(draw(st.lists(OFFSETS, min_size=2, max_size=12, unique=True)))
    pairs = list(pairwise(marks))
    return [pair for pair in pairs for _ in range(draw(st.integers(1, 3)))]


@given(STREAMS, spans())
def test_ids_are_uuids_of_version_8(stream: bytes, places: list[tuple[int, int]]) -> None:
    for log_id in identify(stream, places).log_ids:
        parsed = uuid.UUID(log_id)
        assert str(parsed) == log_id
        assert parsed.version == 8
        assert parsed.variant == uuid.RFC_4122


@given(STREAMS, spans())
def test_a_replay_gives_the_same_and_positions_rise(stream: bytes, places: list[tuple[int, int]]) -> None:
    first = identify(stream, places)
    assert identify(stream, places) == first
    assert len(set(first.log_ids)) == len(places) or _mixes_collide(places)
    seqs = first.seqs
    assert seqs == sorted(set(seqs))
    assert [position_of(seq)[0] for seq in seqs] == [end for _, end in places]


def _mixes_collide(places: list[tuple[int, int]]) -> bool:
    """Events of one record have the same start and differ in 16 mixed bits only."""
    return len(set(places)) < len(places)


@given(STREAMS, spans(), st.data())
def test_a_replay_from_any_record_gives_the_same_ids(
    stream: bytes, places: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Batches end between records, so that the events of one record are never apart."""
    borders = [n for n in range(1, len(places)) if places[n] != places[n - 1]]
    cut = data.draw(st.sampled_from([0, *borders]))
    log_ids, seqs = identify(stream, places)
    assert identify(stream, places[cut:]) == (log_ids[cut:], seqs[cut:])


@given(STREAMS, st.lists(OFFSETS.filter(bool), min_size=2, max_size=20, unique=True))
def test_ids_of_a_stream_sort_as_its_positions(stream: bytes, ends: list[int]) -> None:
    ends.sort()
    ids = [identify(stream, [(0, end)]).log_ids[0] for end in ends]
    assert ids == sorted(ids)


def test_the_events_of_one_record_have_different_ids() -> None:
    ids = identify(b"s" * 16, [(0, 10)] * 5000).log_ids
    assert len(set(ids)) == 5000


@given(st.lists(STREAMS, min_size=2, max_size=30, unique=True))
def test_streams_do_not_share_ids(streams: list[bytes]) -> None:
    ids = {identify(stream, [(0, 1)]).log_ids[0] for stream in streams}
    assert len(ids) == len(streams)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_seq_compares_as_the_position_does(end: int, index: int, other_end: int, other_index: int) -> None:
    assert position_of(seq_of(end, index)) == (end, index)
    assert (seq_of(end, index) < seq_of(other_end, other_index)) == ((end, index) < (other_end, other_index))


@given(st.integers(0, 1000), st.integers(0, 50), st.integers(0, 50))
def test_counting_goes_on_where_it_stopped(start: int, first: int, second: int) -> None:
    whole = counted(start, [None] * (first + second))
    assert counted(start, [None] * first) + counted(start + first, [None] * second) == whole


def test_names_give_stable_ids() -> None:
    assert source_id("logintel", "shop", "web1") == source_id("logintel", "shop", "web1")
    assert source_id("logintel", "shop", "web1") != source_id("logintel", "shop", "web2")
    assert named_id("a", "bc") != named_id("ab", "c")
    assert new_stream_id() != new_stream_id()
