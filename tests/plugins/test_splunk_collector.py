"""The HTTP Event Collector: what it answers, what becomes of what is sent, and whom it believes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from hec_collector import EVENT, HEALTH, RAW, SUCCESS, TOKEN, Collecting, run

from logintel.encoder import Encoder
from logintel.event import Envelope, decode


def test_a_sender_is_told_what_is_wrong_with_its_token() -> None:
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    tokens = [
        {"token": TOKEN, "name": "shop"},
        {"token": "off", "name": "off", "enabled": False},
        {"token": "asked", "name": "query", "query_token": True},
    ]
    body = '{"event":"x"}'

    async def work(running: Collecting) -> None:
        post = running.post
        assert await post(body) == SUCCESS
        assert await post(body, token=None, Authorization=f"splunk  {TOKEN}") == SUCCESS
        assert await post(body, token=None, Authorization=f"Basic {basic}") == SUCCESS
        assert await post(body, f"{EVENT}?token=asked", token=None) == SUCCESS
        refused: dict[tuple[int, str, int], Any] = {
            (403, "Token disabled", 1): {"token": "off"},
            (401, "Token is required", 2): {"token": None},
            (401, "Invalid authorization", 3): {"token": None, "Authorization": f"Bearer {TOKEN}"},
            (403, "Invalid token", 4): {"token": f"{TOKEN}0"},
            (400, "Query string authorization is not enabled", 16): {"path": f"{EVENT}?token={TOKEN}"},
        }
        for (status, text, code), keys in refused.items():
            assert await post(body, **keys) == (status, {"text": text, "code": code})
        assert (await post(body, f"{EVENT}?token=wrong"))[1]["code"] == 4, "a token in the query string wins"
        assert (await post(body, token=None, Authorization="Basic ***"))[1]["code"] == 3

    assert len(run(work, tokens=tokens).kept) == 4


#: body, answer, texts that were kept
BAD: list[tuple[str | bytes, dict[str, Any], list[str]]] = [
    (" \n", {"text": "No data", "code": 5}, []),
    (b"\1\2\3\4", {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('[{"event":"x"}]', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":"a"},{"event":"b"}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 1}, ["a"]),
    ('{"event":"a"}{"event":NaN}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 1}, ["a"]),
    ('{"event":"a",}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":"a" "b":1}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":"a","time":-1}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":"a","time":"soon"}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":"a","host":{}}', {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    ('{"event":' + "[" * 100_000, {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}, []),
    (
        '{"event":"metric","fields":{"metric_name:cpu":1}}',
        {"text": "Invalid data format", "code": 6, "invalid-event-number": 0},
        [],
    ),
    (
        '{"event":"a","index":"audit"}{"event":"b","index":"secret"}{"event":"c"}',
        {"text": "Incorrect index", "code": 7, "invalid-event-number": 2},
        ["a"],
    ),
    ('{"event":"a"}{"time":1}', {"text": "Event field is required", "code": 12, "invalid-event-number": 1}, ["a"]),
    ('{"event":null}', {"text": "Event field is required", "code": 12, "invalid-event-number": 0}, []),
    ('{"event":""}', {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}, []),
    ('{"event":{ }}', {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}, []),
    (
        '{"event":"a","fields":{"b":{"c":1}}}',
        {"text": "Error in handling indexed fields", "code": 15, "invalid-event-number": 0},
        [],
    ),
    (
        '{"event":"a","fields":[1]}',
        {"text": "Error in handling indexed fields", "code": 15, "invalid-event-number": 0},
        [],
    ),
]


def test_a_bad_event_is_named_and_those_before_it_are_kept() -> None:
    async def work(running: Collecting) -> None:
        for body, answer, kept in BAD:
            assert await running.post(body) == (400, answer)
            assert running.texts == kept
            running.kept.clear()

    run(work, tokens=[{"token": TOKEN, "name": "shop", "indexes": ["audit", "main"]}])


def test_the_text_is_what_was_sent_and_the_rest_is_said_beside_it() -> None:
    said = '"host":"h","source":"/x","sourcetype":"st","index":"i"'
    indexed = '"fields":{"colour":"blue","sizes":["s","m"],"severity":"warning"}'
    first = f'{{"event" : {{"a":1.50e0, "a" : 2}} , "time":"1777863721.1234569", {said} ,{indexed}}} 17'
    escaped = '{"\\u0065vent":[true, "\\ud800"]}{"event":false,"time":1777863721123}{"event":"\\u0000}{","x":{"y":[]}}'

    async def work(running: Collecting) -> None:
        assert (await running.post(first))[1]["invalid-event-number"] == 1
        assert await running.post('{"event":17}' + escaped) == SUCCESS

    kept = run(work).kept
    assert [event.raw for event in kept] == ['{"a":1.50e0, "a" : 2}', "17", '[true, "\\ud800"]', "false", "\0}{"]
    one = kept[0]
    assert (one.timestamp, one.level, one.fields["host"]) == ("2026-05-04T03:02:01.123456Z", "WARN", "h")
    assert one.metadata == {
        "a": 2,
        "colour": "blue",
        "sizes": ["s", "m"],
        "severity": "warning",
        "level_text": "warning",
        "peer": "127.0.0.1",
        "splunk_token": "shop",
        "splunk_source": "/x",
        "splunk_sourcetype": "st",
        "splunk_index": "i",
    }
    assert kept[3].timestamp == "2026-05-04T03:02:01.123000Z", "milliseconds are told by their size"


def test_an_event_without_a_time_has_that_of_its_text_and_never_another_senders() -> None:
    """What has none in its text either gets that of its arrival, in the spool."""

    async def work(running: Collecting) -> None:
        assert (
            await running.post('{"event":"old","time":1}{"event":"2026-01-02 03:04:05 INFO own"}{"event":"none"}')
            == SUCCESS
        )

    old, own, none = run(work).kept
    assert (old.timestamp, own.timestamp) == ("1970-01-01T00:00:01.000000Z", "2026-01-02T03:04:05.000000Z")
    assert none.timestamp is None


def test_a_text_that_no_format_should_see_is_kept_as_it_is_beside_others() -> None:
    long = "level=error " + "x" * 300_000

    async def work(running: Collecting) -> None:
        assert (
            await running.post("".join(json.dumps({"event": text}) for text in ("level=info a=1", long, "b")))
            == SUCCESS
        )

    kept = run(work, format="logfmt").kept
    assert [event.raw for event in kept] == ["level=info a=1", long, "b"]
    assert [event.level for event in kept] == ["INFO", None, None]
    assert [event.format for event in kept] == ["logfmt", "plain", "logfmt"]


def test_a_sender_cannot_speak_for_the_agent() -> None:
    """Whatever it calls its values, who received them from whom is ours to say."""
    claims = {
        "splunk_token": "admin",
        "peer": "10.9.9.9",
        "source": "payroll",
        "host": "bank",
        "log_id": "1",
        "fine": 1,
    }
    body = json.dumps({"event": claims, "fields": {**claims, "splunk_channel": "c"}, "host": "h"})

    async def work(running: Collecting) -> None:
        assert await running.post(body, X_Forwarded_For="10.8.8.8") == SUCCESS

    (event,) = run(work).kept
    envelope = Envelope("ours", {"source": "hec", "source_type": "splunk", "host": "agent", "service": "hec"})
    sent = decode(Encoder(envelope).encode(event, "2026-01-02T03:04:05.000000Z", "record", "log-1"))
    said = sent["metadata"]
    assert isinstance(said, dict)
    assert (sent["source_id"], sent["log_id"]) == ("ours", "log-1")
    assert (said["source"], said["host"], said["splunk_token"], said["peer"]) == ("hec", "agent", "shop", "127.0.0.1")
    assert "splunk_channel" not in said
    assert said["record_splunk_token"] == "admin"
    assert said["record_source"] == "payroll"
    assert said["fine"] == 1


def test_raw_text_is_a_record_a_line_but_that_stack_traces_stay_whole() -> None:
    trace = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nZeroDivisionError: division by zero'
    )
    body = f"2026-01-02 03:04:05 INFO one\r\n\n2026-01-02 03:04:06 ERROR two\n{trace}\n"

    async def work(running: Collecting) -> None:
        path = f"{RAW}?host=h9&source=/var/log/x&sourcetype=log&index=main&time=1777863721.5"
        assert await running.post(gzip.compress(body.encode()), path, Content_Encoding="gzip") == SUCCESS
        assert (await running.post("\n \n", RAW))[1]["code"] == 5
        assert (await running.post("x", f"{RAW}?time=soon"))[1]["code"] == 6
        assert (await running.post("x", f"{RAW}?index=secret"))[1] == {"text": "Incorrect index", "code": 7}

    kept = run(work, tokens=[{"token": TOKEN, "name": "shop", "indexes": ["main"]}]).kept
    assert [event.raw for event in kept] == [
        "2026-01-02 03:04:05 INFO one",
        f"2026-01-02 03:04:06 ERROR two\n{trace}",
    ]
    assert [event.level for event in kept] == ["INFO", "ERROR"]
    assert {event.timestamp for event in kept} == {"2026-05-04T03:02:01.500000Z"}
    assert {(event.fields["host"], event.metadata["splunk_source"]) for event in kept} == {("h9", "/var/log/x")}


def test_a_token_and_a_source_type_decide_what_is_not_said() -> None:
    tokens = [{"token": TOKEN, "name": "shop", "index": "main", "sourcetype": "kv"}]
    body = '{"event":"level=error msg=refused"}{"event":"level=error msg=refused","sourcetype":"prose","index":"i"}'

    async def work(running: Collecting) -> None:
        assert await running.post(body) == SUCCESS

    kept = run(work, tokens=tokens, format="plain", formats={"kv": "logfmt"}).kept
    assert [(event.format, event.level) for event in kept] == [("logfmt", "ERROR"), ("plain", None)]
    assert [event.metadata["splunk_index"] for event in kept] == ["main", "i"]
    assert [event.metadata["splunk_sourcetype"] for event in kept] == ["kv", "prose"]


def test_paths_that_are_no_collector_are_said_so() -> None:
    async def work(running: Collecting) -> None:
        client = running.client
        for path in ("/", "/services/collector/s2s", "/services/collector/mint", "/services/collector/events"):
            assert (await client.post(path)).status_code == 404
        assert (await client.get(EVENT)).status_code == 405
        assert (await client.post(HEALTH)).status_code == 405
        docker = await client.request("OPTIONS", f"{EVENT}/1.0")
        assert (docker.status_code, docker.text) == (200, "")

    run(work)
