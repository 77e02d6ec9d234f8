"""Requests that others' tests send to an HTTP Event Collector, and that real clients sent: answered as they expect.

Where the origins differ from Splunk, or from each other, Splunk is followed: DIVERGENT says how.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hec_collector import TOKEN, Collecting, collecting

from logintel.event import Event

DATA = Path(__file__).parent / "data/splunk"
CASES = [json.loads(line) for line in (DATA / "hec_cases.jsonl").read_text("utf-8").splitlines()]
REQUESTS = [json.loads(line) for line in (DATA / "hec_client_requests.jsonl").read_text("utf-8").splitlines()]
#: Cases that are sent zipped too.
ZIPPED = ("three_concatenated", "raw_multilines", "partial")
TRIALS = [(case, False) for case in CASES] + [(case, True) for case in CASES if case["name"] in ZIPPED]
#: (origin, name) → what Splunk says instead.
DIVERGENT: dict[tuple[str, str], dict[str, Any]] = {
    ("vectordotdev", "invalid_token"): {"status": 403, "body": '{"text":"Invalid token","code":4}'},
    ("vectordotdev", "default_sticky_source"): {
        "status": 200,
        "events": [{"message": "first", "source": "main"}, {"message": "second", "source": None}],
    },
    ("vectordotdev", "ack_service_acknowledgements_disabled"): {
        "status": 400,
        "body": '{"text":"ACK is disabled","code":14}',
    },
    ("fluent", "collector"): {
        "status": 400,
        "body": '{"text":"Event field is required","code":12,"invalid-event-number":0}',
    },
    ("fluent", "collector_health"): {"status": 200, "body": '{"text":"HEC is healthy","code":17}'},
}


def key(case: dict[str, Any]) -> tuple[str, str]:
    return case["origin"].partition("/")[0], case["name"]


def configured(server: dict[str, Any]) -> dict[str, Any]:
    ack = server.get("acks", False)
    keys: dict[str, Any] = {
        "tokens": [{"token": token, "name": f"t{n}", "ack": ack} for n, token in enumerate(server["tokens"])]
    }
    if not server["tokens"]:
        keys["anonymous"] = True
    if "max_ack_channels" in server:
        keys["max_channels"] = server["max_ack_channels"]
    return keys


def found(event: Event, name: str) -> Any:
    """What became of a value that an origin's test looks for."""
    if name == "message":
        return event.message
    if name == "host":
        return event.fields["host"]
    return event.metadata.get({"source": "splunk_source", "channel": "splunk_channel"}.get(name, name))


async def replayed(running: Collecting, request: dict[str, Any], *, zipped: bool = False) -> tuple[int, str]:
    body = base64.b64decode(request["body_base64"]) if "body_base64" in request else (request["body"] or "").encode()
    headers = dict(request["headers"])
    if zipped:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    answer = await running.client.request(request["method"], request["path"], headers=headers, content=body)
    return answer.status_code, answer.text


class Replay(NamedTuple):
    """What a case was answered, in order, and what was kept of its first request."""

    answers: list[tuple[int, str]]
    kept: list[Event]


async def replay(case: dict[str, Any], *, zipped: bool) -> Replay:
    async with collecting(**configured(case["server_config"])) as running:
        answers = [await replayed(running, case["request"], zipped=zipped)]
        kept = list(running.kept)
        answers += [await replayed(running, then) for then in case["expect"].get("then", ())]
        return Replay(answers, kept)


@pytest.fixture(scope="module")
def replays() -> list[Replay]:
    """Of TRIALS, all at the same time: each has a collector of its own."""

    async def all_of_them() -> list[Replay]:
        return await asyncio.gather(*(replay(case, zipped=zipped) for case, zipped in TRIALS))

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    "number",
    range(len(TRIALS)),
    ids=[f"{'-'.join(key(case))}{'-gzip' if zipped else ''}" for case, zipped in TRIALS],
)
def test_a_case_of_another_collector_is_answered_as_splunk_does(number: int, replays: list[Replay]) -> None:
    case, (answers, kept) = TRIALS[number][0], replays[number]
    expected = DIVERGENT.get(key(case), case["expect"])
    status, text = answers[0]
    assert status >= 400 if expected["status"] == ">=400" else status == expected["status"], text
    if "body" in expected:
        assert text == expected["body"]
    assert expected.get("body_json_contains", {}).items() <= json.loads(text).items()
    events = expected.get("events", ())
    assert len(kept) >= len(events)
    for said, event in zip(events, kept, strict=False):
        assert {name: found(event, name) for name in said} == said
    for then, (status, text) in zip(expected.get("then", ()), answers[1:], strict=True):
        assert (status, text) == (then["status"], then.get("response_body", text))


def test_what_real_clients_sent_becomes_their_events() -> None:
    async def replay() -> list[Event]:
        async with collecting(tokens=[{"token": "851A5E58-4EF1-7291-F947-F614A76ACB21", "name": "all"}]) as running:
            for request in REQUESTS:
                request["headers"].pop("Content-Length", None)
                request["headers"].pop("content-length", None)
                request["headers"].pop("Content-Encoding", None)
                status, _ = await replayed(running, request, zipped=request["body_was_gzip"])
                assert status == 200, request["client"]
            return running.kept

    events = asyncio.run(replay())
    assert [(event.message.partition("\n")[0], event.level, event.fields["host"]) for event in events] == [
        ("cart 42 has no owner", None, "app01"),
        ("checkout failed", None, "app01"),
        ("order placed", "INFO", "vm"),
        ("plain text line", "ERROR", "vm"),
        ("", "INFO", "farm.local"),
        ("second, plain", "ERROR", "127.0.0.1"),
        ("payment refused", "ERROR", "vm"),
        ("plain text line", None, "vm"),
        ("payment refused", "ERROR", "vm"),
        ("plain text line", None, "vm"),
        ('a7b2c4d6e8f0 team=cart {"level":"error","msg":"payment refused","code":402}', None, "vm"),
        ("a7b2c4d6e8f0 team=cart plain text line", None, "vm"),
    ]
    assert events[0].timestamp == "2026-11-22T22:11:29.957927Z"
    assert events[6].timestamp == "2026-05-04T03:02:01.123457Z", "a time may be a text"
    assert "ZeroDivisionError" in str(events[1].fields["stack_trace"])
    assert events[2].metadata["color"] == "blue", "an indexed field"
    assert events[2].raw == '{"app": "shop", "log_level": "INFO", "message": "order placed", "order": 7}'
    assert [event.metadata.get("splunk_sourcetype") for event in events[4:6]] == ["httpevent", None]
    assert events[6].metadata["docker_attrs"] == {"team": "cart"}
    assert events[7].metadata["stream"] == "stderr"
    assert TOKEN not in str(events)
