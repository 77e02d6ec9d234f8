"""The HTTP Event Collector: statuses, bounds, backpressure, and whom it believes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hec import ACK, EVENT, HEALTH, RAW, TOKEN, Collecting, collecting, free_port, source
from pydantic import ValidationError

from logintel.encoder import Encoder
from logintel.event import Envelope, decode
from logintel.refused import Refused

TLS = Path(__file__).parents[1] / "core/data/tls"
SUCCESS = (200, {"text": "Success", "code": 0})
ACKING = [{"token": TOKEN, "name": "shop", "ack": True}]


def run(work: Callable[[Collecting], Awaitable[None]], **keys: Any) -> Collecting:
    """Do the work with a collector; what it kept can be looked at afterwards."""

    async def done() -> Collecting:
        async with collecting(**keys) as running:
            await work(running)
            return running

    return asyncio.run(done())


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
        refused = {
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
    bodies = (
        '{"event" : {"a":1.50e0, "a" : 2} , "time":"1777863721.1234569", "host":"h","source":"/x","sourcetype":"st",'
        '"index":"i","fields":{"colour":"blue","sizes":["s","m"],"severity":"warning"}} 17',
        '{"event":17}{"\\u0065vent":[true,"\\ud800"]}{"event":false,"time":1777863721123}{"event":"\\u0000}{","x":{"y":[]}}',
    )

    async def work(running: Collecting) -> None:
        assert (await running.post(bodies[0]))[1]["invalid-event-number"] == 1
        assert await running.post(bodies[1]) == SUCCESS

    kept = run(work).kept
    assert [event.raw for event in kept] == ['{"a":1.50e0, "a" : 2}', "17", '[true,"\\ud800"]', "false", "\0}{"]
    first = kept[0]
    assert (first.timestamp, first.level, first.fields["host"]) == ("2026-05-04T03:02:01.123456Z", "WARN", "h")
    assert first.metadata == {
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


def test_a_full_spool_is_503_with_nothing_kept_and_health_says_so() -> None:
    async def work(running: Collecting) -> None:
        assert (await running.client.get(HEALTH)).status_code == 200
        running.refusals = 1
        answer = await running.client.post(EVENT, content='{"event":"a"}', headers={"Authorization": f"Splunk {TOKEN}"})
        assert (answer.status_code, answer.json()) == (503, {"text": "Server is busy", "code": 9})
        assert int(answer.headers["retry-after"]) > 0
        assert running.kept == []
        health = await running.client.get(HEALTH)
        assert (health.status_code, health.json()["code"]) == (503, 18)
        assert await running.post('{"event":"a"}') == SUCCESS
        health = await running.client.get(f"{HEALTH}/1.0")
        assert (health.status_code, health.json()) == (200, {"text": "HEC is healthy", "code": 17})

    assert run(work).texts == ["a"]


def test_health_looks_at_a_token_that_is_named() -> None:
    async def work(running: Collecting) -> None:
        for token, status, code in ((TOKEN, 200, 17), ("wrong", 400, 21), ("off", 400, 22)):
            answer = await running.client.get(HEALTH, params={"token": token})
            assert (answer.status_code, answer.json()["code"]) == (status, code)

    run(work, tokens=[{"token": TOKEN, "name": "shop"}, {"token": "off", "name": "off", "enabled": False}])


def test_a_request_with_more_than_a_step_waits_for_room_once_it_is_begun() -> None:
    body = "".join(f'{{"event":"{n}"}}' for n in range(2500))

    async def work(running: Collecting) -> None:
        taken = running.accept

        async def refuse_the_second(events: Any) -> None:
            running.refusals = 1 if len(running.kept) == 1000 and not running.asked.is_set() else 0
            await taken(events)
            running.asked.clear()

        running.accept = refuse_the_second  # type: ignore[method-assign]
        assert await running.post(body) == SUCCESS

    assert run(work).texts == [str(n) for n in range(2500)]


def test_bounds_hold_for_what_is_sent_and_for_what_it_unzips_to() -> None:
    large = (413, {"text": "Request entity too large", "code": 27})
    bomb = gzip.compress(b'{"event":"' + b"x" * 50_000_000 + b'"}')
    fits = json.dumps({"event": "y" * 900})

    async def work(running: Collecting) -> None:
        zipped = {"Content_Encoding": "gzip"}
        assert await running.post("x" * 2000) == large
        assert await running.post(bomb[:1024], **zipped) != SUCCESS
        assert await running.post(gzip.compress(b'{"event":"' + b"x" * 2000 + b'"}'), **zipped) == large
        assert (await running.post(b"no gzip", **zipped))[1]["code"] == 6
        assert (await running.post(gzip.compress(fits.encode())[:-9], **zipped))[1]["code"] == 6
        assert (await running.post(fits, Content_Encoding="br"))[0] == 415
        assert await running.post(gzip.compress(fits.encode()) + gzip.compress(b'{"event":"z"}'), **zipped) == SUCCESS

    assert run(work, max_content="1KiB").texts == ["y" * 900, "z"]


async def talk(port: int, *parts: bytes) -> bytes:
    """What a connection answers until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        received = await reader.read()
    except ConnectionError:
        pass  # it was closed while we spoke
    writer.close()
    return received


def test_a_head_without_end_is_not_collected() -> None:
    head = b"POST /services/collector HTTP/1.1\r\nHost: x\r\n"

    async def work(running: Collecting) -> None:
        for endless in (b"X: " + b"y" * 200_000, b"X: y\r\n" * 40_000):
            async with asyncio.timeout(30):
                received = await talk(running.port, head, endless)
            assert not received or received.startswith(b"HTTP/1.1 400"), received
        trailing = head + f"Authorization: Splunk {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".encode()
        async with asyncio.timeout(30):
            await talk(running.port, trailing, b"X: " + b"y" * 200_000)
        assert await running.post('{"event":"a"}') == SUCCESS

    assert run(work).texts == ["a"]


def test_connections_over_the_limit_are_closed() -> None:
    async def work(running: Collecting) -> None:
        async with asyncio.timeout(30):
            held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
            assert await talk(running.port) == b""
        for _, writer in held:
            writer.close()

    run(work, max_connections=2)


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


def test_over_tls_with_certificates_of_both_sides() -> None:
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    context.check_hostname = False

    async def work(running: Collecting) -> None:
        with pytest.raises(Exception, match=r"(?i)certificate|closed|reset|disconnected"):
            await running.post('{"event":"nobody"}')
        context.load_cert_chain(TLS / "client.pem")
        _, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        body = b'{"event":"a"}'
        writer.write(b"POST /services/collector HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        writer.write(f"Authorization: Splunk {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        async with asyncio.timeout(30):
            while not running.kept:
                await asyncio.sleep(0.01)
        writer.close()

    tls = {"cert": TLS / "server.pem", "client_ca": TLS / "ca.pem"}
    assert run(work, tls=tls).texts == ["a"]


def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    async def work(running: Collecting) -> None:
        with pytest.raises(
            Refused, match=f"cannot listen on tcp://127.0.0.1:{running.port}: Address already in use: stop"
        ):
            await source(running.port).serve(running.accept)

    run(work)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tokens": []}, "anonymous: true"),
        ({"anonymous": True, "tokens": [{"token": "a", "name": "a"}]}, "anonymous: true"),
        ({"tokens": [{"token": "a", "name": "a"}, {"token": "a", "name": "b"}]}, "same token"),
        ({"tokens": [{"token": "a", "name": "a"}, {"token": "b", "name": "a"}]}, "same name"),
        ({"tokens": [{"token": "a", "name": "a", "indexes": ["x"], "index": "y"}]}, "add it there"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        source(free_port(), **keys)
    assert "token='a'" not in repr(refused.value)
