"""Acknowledgements of the HTTP Event Collector: ids on channels, told once, forgotten in time."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hec_collector import ACK, EVENT, RAW, TOKEN, Collecting, run
from hypothesis import given
from hypothesis import strategies as st

from logintel_splunk.acknowledgements import Acknowledgements
from logintel_splunk.answers import Refusal

ACKING = [{"token": TOKEN, "name": "shop", "ack": True}]


def test_acknowledgements_are_of_a_channel_and_of_a_token() -> None:
    """Told once; unknown ids are not safe."""
    tokens = [*ACKING, {"token": "other", "name": "other", "ack": True}]

    async def work(running: Collecting) -> None:
        post, one = running.post, {"X_Splunk_Request_Channel": "one"}
        assert (await post('{"event":"a"}'))[1] == {"text": "Data channel is missing", "code": 10}
        assert (await post('{"event":"a"}', f"{EVENT}?channel={'x' * 200}"))[1]["code"] == 11
        for number in range(3):
            assert await post('{"event":"a"}', **one) == (200, {"text": "Success", "code": 0, "ackId": number})
        assert (await post("a", f"{RAW}?channel=two"))[1]["ackId"] == 0
        assert (await post("", **one))[1]["code"] == 5
        assert (await post('{"event":"a"}{', **one))[1]["code"] == 6
        asked = '{"acks":[2,0,7]}'
        assert (await post(asked, ACK, "other", **one))[1] == {"acks": {"2": False, "0": False, "7": False}}
        assert (await post(asked, ACK, **one))[1] == {"acks": {"2": True, "0": True, "7": False}}
        assert (await post('{"acks":[0,1,2]}', ACK, **one))[1] == {"acks": {"0": False, "1": True, "2": False}}
        for body in ("", "[]", "{}", '{"acks":["1"]}', '{"acks":[true]}', '{"acks":1}'):
            assert await post(body, ACK, **one) == (400, {"text": "Invalid data format", "code": 6})

    assert len(run(work, tokens=tokens).kept) == 5


def test_an_id_is_given_when_its_events_are_on_disk_and_not_before() -> None:
    async def work(running: Collecting) -> None:
        running.disk.clear()
        sending = asyncio.ensure_future(running.post('{"event":"a"}', X_Splunk_Request_Channel="one"))
        await running.asked.wait()
        assert (await running.post('{"acks":[0]}', ACK, X_Splunk_Request_Channel="one"))[1] == {"acks": {"0": False}}
        assert not sending.done()
        running.disk.set()
        assert (await sending)[1]["ackId"] == 0
        assert (await running.post('{"acks":[0]}', ACK, X_Splunk_Request_Channel="one"))[1] == {"acks": {"0": True}}

    run(work, tokens=ACKING)


def test_a_channel_that_nobody_uses_is_forgotten_and_makes_room() -> None:
    now = [0.0]
    acks = Acknowledgements(2, lambda: now[0])
    for channel in ("one", "two"):
        acks.open(("shop", channel))
        acks.give(("shop", channel))
    now[0] = 300
    with pytest.raises(Refusal) as refused:
        acks.open(("shop", "three"))
    assert refused.value.answer.status == 503
    acks.open(("shop", "one"))
    now[0] = 601
    acks.open(("shop", "three"))
    assert acks.tell(("shop", "two"), [0]) == {0: False}
    assert acks.tell(("shop", "one"), [0]) == {0: True}


@given(st.lists(st.lists(st.integers(-1, 60), max_size=8), max_size=20))
def test_each_id_that_was_given_is_told_once_in_any_order(questions: list[list[int]]) -> None:
    acks = Acknowledgements(1)
    given_ids, told = count(), set[int]()
    acks.open(("shop", "one"))
    for question in questions:
        latest = [acks.give(("shop", "one")) for _ in range(5)][-1]
        assert latest == next(given_ids) * 5 + 4
        for ack_id, safe in acks.tell(("shop", "one"), question).items():
            assert safe == (0 <= ack_id <= latest and ack_id not in told)
            told |= {ack_id} if safe else set()


def test_ids_told_out_of_order_take_bounded_room() -> None:
    """A sender that never asks about some ids cannot make the collector remember all the others for ever."""
    acks = Acknowledgements(1)
    acks.open(("shop", "one"))
    for _ in range(40_000):
        acks.give(("shop", "one"))
    odd = list(range(1, 40_000, 2))
    assert acks.tell(("shop", "one"), odd) == dict.fromkeys(odd, True)
    assert acks.tell(("shop", "one"), [0, 39_998]) == {0: False, 39_998: True}
