"""Redaction: no secret leaves this host, in whatever shape it stands in an event; what was no secret stays."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logintel.batch import Batch
from logintel.config.process import ProcessConfig, RedactionConfig
from logintel.event import MAX_ENCODED, Envelope, Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.lines import Lines
from logintel_agent.mark import Mark
from logintel_agent.outgoing import Outgoing, outgoing
from logintel_agent.processing.processing import Processing

ENVELOPE = Envelope(
    "5f7ac8b8-0d2b-5d3f-8a59-4f3d1c1b6a11", {"source": "shop", "host": "web1", "service": "shop"}, ("eu",)
)
MARK = Mark("ab" * 16, None, 0, "2026-11-22T10:00:00.000000Z", "received")
READING = Reading(UTC, datetime(2026, 11, 22, 10, tzinfo=UTC))
KEY = "k" * 32
PLUGINS = load_plugins()

#: A secret as a line of a log has it, and the part that must not leave.
AWS = "AKIAIOSFODNN7EXAMPLE"
GITHUB = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
GITLAB = "glpat-xyzABC1234567890defg"
SLACK = "xoxb-123456789012-abcdefGHIJKL"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF0qJDr5fZb2pJZ0S1UOaDmQ6mHkT"
SHAPES = [
    (AWS, AWS),
    (GITHUB, GITHUB),
    (GITLAB, GITLAB),
    (SLACK, SLACK),
    (JWT, JWT),
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}\n-----END RSA PRIVATE KEY-----", PEM),
    ("Authorization: Bearer tok3n-of-nobody", "tok3n-of-nobody"),
    ("Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l", "YWxhZGRpbjpvcGVuc2VzYW1l"),
    ('Authorization: Digest username="Mufasa", response="6629fae49393a053"', "6629fae49393a053"),
    ("password=hunter2-canary", "hunter2-canary"),
    ('"password": "hunter2-canary"', "hunter2-canary"),
    ("{'db_password': 'hunter2-canary'}", "hunter2-canary"),
    (':api_key=>"hunter2-canary"', "hunter2-canary"),
    ("clientSecret: hunter2-canary", "hunter2-canary"),
    ("X-Auth-Token: hunter2-canary", "hunter2-canary"),
    ("GET /login?user=bob&password=hunter2-canary&x=1", "hunter2-canary"),
    ("mysqldump --password hunter2-canary -u root", "hunter2-canary"),
    ("CREATE USER bob IDENTIFIED BY 'hunter2-canary'", "hunter2-canary"),
    ("<ns:Password>hunter2-canary</ns:Password>", "hunter2-canary"),
    ("Server=db;Uid=sa;Pwd=hunter2-canary;Database=x", "hunter2-canary"),
    ("postgresql://app:hunter2-canary@db:5432/shop", "hunter2-canary"),
    ("amqp://app:hunter2@canary@mq:5672", "hunter2@canary"),
    ("redis://:hunter2-canary@cache", "hunter2-canary"),
]
PERSONAL = [
    ("jo.bloggs@example.co.uk", "jo.bloggs"),
    ("o'brien+x@example.com", "brien"),
    ("jörg@münchen.de", "jörg"),
    ("/unsubscribe?m=jo%40example.com", "jo%40"),
    ("4111 1111 1111 1111", "1111 1111"),
    ("card=5500005555555559", "5500005555555559"),
    ("3782-822463-10005", "822463"),
    ("DE89 3704 0044 0532 0130 00", "3704 0044"),
    ("GB29NWBK60161331926819", "60161331926819"),
    ("tel:+49 30 12345678", "12345678"),
]


@cache
def processing(*redact: Any, key: str = KEY, budget: str = "10s") -> Processing:
    """A budget that no host is too slow for, but where the test is of it."""
    config = ProcessConfig(redact=redact)
    redaction = RedactionConfig.model_validate({"key": key, "budget": budget})
    directory = Path(mkdtemp())
    return Processing("shop", config, redaction, directory, directory)


def send(events: Sequence[Event] | Lines, work: Processing) -> Outgoing:
    return outgoing(Batch(events, 1, "s"), MARK, ENVELOPE, work)


def lines(format_: str, *texts: str) -> Lines:
    return Lines(texts, PLUGINS.formats.create(format_), READING)


def sent(events: Sequence[Event] | Lines, *redact: Any) -> list[dict[str, Any]]:
    out = send(events, processing(*redact))
    assert not out.dropped
    return [orjson.loads(record.value) for record in out.records]


def every_form(value: bytes) -> str:
    """What is sent, as it is on the wire and with its texts as a reader gets them, two layers of JSON deep."""
    texts = [value.decode()]

    def collect(found: Any) -> None:
        if isinstance(found, dict):
            collect([*found, *found.values()])
        elif isinstance(found, list):
            for item in found:
                collect(item)
        else:
            texts.append(str(found))
            if isinstance(found, str) and found[:1] in ("{", '"'):
                with suppress(ValueError):
                    collect(json.loads(found))

    collect(orjson.loads(value))
    return "\n".join(texts)


def wrapped(secret: str) -> list[tuple[str, str]]:
    """A secret in a line of each kind of log."""
    flat = secret.replace("\n", "\\n")
    return [
        ("access", f'10.0.0.1 - bob [02/Mar/2026:08:00:00 +0000] "GET /x?{flat.replace(" ", "+")} HTTP/1.1" 200 5 "-" "{flat.replace(chr(34), "")}"'),
        ("json", orjson.dumps({"timestamp": "2026-03-02T08:00:00Z", "level": "INFO", "message": f"got {secret} there"}).decode()),
        ("json", orjson.dumps({"time": "2026-03-02T08:00:00Z", "msg": "x", "ctx": {"deep": [secret]}}).decode()),
        ("json", orjson.dumps({"time": "2026-03-02T08:00:00Z", "msg": orjson.dumps({"inner": secret}).decode()}).decode()),
        ("java", f"2026-03-02 08:00:00,123 ERROR [main] com.example.Shop - got {secret} there"),
        ("java", f"2026-03-02 08:00:00,123 ERROR [main] com.example.Shop - failed\njava.lang.Error: {secret}\n\tat com.example.Shop.run(Shop.java:7)"),
        ("syslog", f"Mar  2 08:00:00 web1 app[7]: got {flat} there"),
        ("syslog", f"<13>1 2026-03-02T08:00:00Z web1 app 7 - - got {flat} there"),
        ("logfmt", f'time=2026-03-02T08:00:00Z level=info msg="got it" x={flat}'),
        ("auto", f"2026-03-02 08:00:00 INFO got {secret} there"),
        ("plain", f"got {secret} there"),
    ]  # fmt: skip


@pytest.mark.parametrize(("shape", "secret"), SHAPES, ids=[shape[:24] for shape, _ in SHAPES])
def test_a_secret_does_not_leave_in_any_format(shape: str, secret: str) -> None:
    for format_, line in wrapped(shape):
        if format_ == "access" and '"' in shape:
            continue  # such a line is none: the quote ends the request
        (record,) = send(lines(format_, line), processing("secrets")).records
        assert secret not in every_form(record.value), (format_, line)
        assert b"[redacted:" in record.value


@pytest.mark.parametrize(("shape", "part"), PERSONAL, ids=[shape for shape, _ in PERSONAL])
def test_personal_data_does_not_leave_in_any_format(shape: str, part: str) -> None:
    for format_, line in wrapped(shape):
        if format_ == "access" and " " in shape:
            continue  # written with + for the space there
        (record,) = send(lines(format_, line), processing("personal")).records
        assert part not in every_form(record.value), (format_, line)


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)
#: What a token's own characters would make longer is part of it; here it must not hide where it begins.
#: Canaries that need no end.
WHOLE = ("password=c4n4ry-value", AWS)
CANARIES = [
    AWS,
    GITHUB,
    GITLAB,
    SLACK,
    JWT,
    "password=c4n4ry-value",
    "https://bob:c4n4ry-value@h",
    "Bearer c4n4ry-value-1",
]


@given(
    before=TEXT,
    canary=st.sampled_from(CANARIES),
    behind=TEXT,
    shape=st.sampled_from(["plain", "json", "nested", "ascii"]),
)
@example(before="", canary=CANARIES[5], behind='"', shape="nested")
@example(before='password="', canary=CANARIES[5], behind="", shape="plain")
@example(before="token=", canary=AWS, behind="&", shape="json")
@example(before='-----BEGIN PRIVATE KEY-----"', canary=CANARIES[5], behind='"', shape="plain")
@example(before='token: "', canary=CANARIES[5], behind="", shape="plain")
@example(before="Authorization: Bearer #", canary=CANARIES[7], behind="", shape="plain")
@example(before="", canary=CANARIES[7], behind='=x"', shape="plain")
@settings(max_examples=400, deadline=None)
def test_no_text_around_a_secret_hides_it(before: str, canary: str, behind: str, shape: str) -> None:
    """Whatever the text around is, plain or escaped once or twice: no part of the canary is in what is sent."""
    text = f"{before}{canary}{behind}" if canary in WHOLE else f"{before} {canary} {behind}"
    if shape == "json":
        text = json.dumps({"message": text, "n": 1}, ensure_ascii=False)
    elif shape == "nested":
        text = json.dumps({"message": json.dumps({"inner": text}), "n": 1})
    elif shape == "ascii":
        text = json.dumps({"message": text}).replace("A", "\\u0041").replace("c4", "\\u00634").replace("/", "\\/")
    secret = canary.rpartition("=")[2].rpartition("bob:")[2].removesuffix("@h").removeprefix("Bearer ")
    for format_ in ("plain", "auto"):
        for record in send(lines(format_, text), processing("secrets")).records:
            form = every_form(record.value)
            assert secret not in form
            assert secret[4:-4] not in form


@given(
    st.lists(
        st.tuples(st.sampled_from(["password", "apiKey", "x"]), st.text(min_size=4, max_size=20)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_member_whose_name_says_so_is_secret_whatever_it_holds(members: list[tuple[str, str]]) -> None:
    for held in (str, lambda value: [value], lambda value: {"value": value}):
        body = {"time": "2026-03-02T08:00:00Z", "n": 1, **{name: held(f"<{value}>~") for name, value in members}}
        (event,) = sent(lines("json", orjson.dumps(_encodable(body)).decode()), "secrets")
        for name in body.keys() & {"password", "apiKey"}:
            assert "[redacted:credential:" in str(event["metadata"][name])
            assert "~" not in str(event["metadata"][name])


def _encodable(value: Any) -> Any:
    return json.loads(json.dumps(value).encode("utf-8", "replace"))


def test_what_stands_under_another_name_is_replaced_as_well() -> None:
    event = Event("login bob secret word", metadata={"password": "secret word", "seen": ["a secret word"], "pin": 7})
    (body,) = sent([event], "secrets")
    receipt = body["metadata"]["password"]
    assert body["raw_log"] == f"login bob {receipt}"
    assert body["metadata"]["seen"] == [f"a {receipt}"]
    assert body["metadata"]["pin"] == 7


def test_numbers_and_names_of_members_are_searched() -> None:
    event = Event("paid", metadata={"card": 4111111111111111, "jo@example.com": 1, "password": 12345, "status": 200})
    (body,) = sent([event], "secrets", "personal")
    assert "4111111111111111" not in str(body)
    assert "jo@" not in str(body)
    assert "12345" not in str(body)
    assert body["metadata"]["status"] == 200


HARMLESS = [
    "Failed password for root from 10.0.0.1 port 22 ssh2",
    "sudo: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls",
    "Access denied for user 'root'@'localhost' (using password: YES)",
    'Parameters: {"password"=>"[FILTERED]", "x"=>1}',
    "Unexpected token: } in JSON at position 7",
    "systemd: Started getty@tty1.service",
    "GET http://localhost:8080/@scope/package",
    "WWW-Authenticate: Basic realm=shop; Basic authentication failed",
    "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12 by the secretary: keyboard",
    "id 1234567890123456 at 1700000000000 took 0.4111111111111111 s +0200",
    "IBAN DE89 3704 0044 0532 0130 01 and card 4111111111111112 are mistyped",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays(line: str) -> None:
    assert sent(lines("plain", line), "secrets", "personal")[0]["raw_log"] == line


def test_addresses_are_redacted_where_that_is_asked_for() -> None:
    line = "10.1.2.3 and ::1 and 2001:db8::ff00:42:8329 at 12:34:56, version 1.2.3"
    (body,) = sent(lines("plain", line), "ipv4", "ipv6")
    assert body["raw_log"].count("[redacted:ipv") == 3
    assert "at 12:34:56, version 1.2.3" in body["raw_log"]
    assert sent(lines("plain", line), "personal")[0]["raw_log"] == line


def test_a_receipt_is_the_same_for_the_same_secret_and_key() -> None:
    """Peers cannot join what they redact: here a secret is followed through formats and spellings."""
    one, two, other = sent(
        [Event("password=hunter2"), Event('{"password": "hunter2"}'), Event("password=hunter3")], "secrets"
    )
    receipt = one["raw_log"].removeprefix("password=")
    assert two["raw_log"] == f'{{"password": "{receipt}"}}'
    assert receipt not in other["raw_log"]
    (card, spaced) = sent([Event("4111111111111111"), Event("4111 1111 1111 1111")], "personal")
    assert card["raw_log"] == spaced["raw_log"]
    elsewhere = send([Event("password=hunter2")], processing("secrets", key="another key of 32 characters ...")).records
    assert receipt.encode() not in elsewhere[0].value


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    values = []
    for _ in range(2):
        work = Processing("shop", ProcessConfig(redact=("secrets",)), RedactionConfig(), tmp_path, tmp_path)
        values.append(send([Event("password=hunter2")], work).records[0].value)
    assert values[0] == values[1]
    assert (tmp_path / "redaction.key").stat().st_mode & 0o777 == 0o600


def test_events_are_counted_by_rule() -> None:
    work = processing("secrets", "personal", key="counted separately: 16 or more")
    send([Event("password=hunter2 token=abc123def"), Event(f"{AWS} jo@example.com"), Event("nothing")], work)
    assert dict(work.redacted) == {"credential": 1, "aws_key_id": 1, "email": 1}


OWN = {"name": "badge", "pattern": r"\bEMP-([0-9]{6})\b", "group": 1}


def test_a_rule_of_ones_own_applies_to_all_of_the_event() -> None:
    (body,) = sent([Event("EMP-123456 came", metadata={"who": "EMP-123456", "number": "123456"})], _own(OWN))
    assert "123456" not in str(body)
    assert body["raw_log"].startswith("EMP-[redacted:badge:")


def test_a_rule_without_a_literal_looks_at_every_event() -> None:
    (body, same) = sent([Event("at 52.5,13.4"), Event("none")], _own({"name": "place", "pattern": r"\d+\.\d,\d+\.\d"}))
    assert "52.5" not in str(body)
    assert same["raw_log"] == "none"


def test_a_pattern_without_end_holds_the_event_back() -> None:
    """Fail closed: what cannot be searched in time stays on this host; the events beside it go on."""
    work = processing(_own({"name": "slow", "pattern": r"x(a+)+\$"}), budget="50ms")
    started = time.process_time()
    out = send([Event("before"), Event("x" + "a" * 200), Event("behind")], work)
    assert [orjson.loads(record.value)["raw_log"] for record in out.records] == ["before", "behind"]
    ((seq, reason, original),) = out.dropped
    assert (seq, reason) == (send([Event("1"), Event("2")], processing("jwt")).records[1].seq, "redaction_overrun")
    assert original is not None
    assert b"aaaa" in original
    assert out.mark.count == 3
    assert work.dropped == {"redaction_overrun": 1}
    assert time.process_time() - started < 30


def test_an_event_that_cannot_be_searched_is_held_back() -> None:
    deep: Any = "password=hunter2"
    for _ in range(240):
        deep = [deep]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        out = send([Event("x", metadata={"deep": deep}), Event("fine")], processing("secrets"))
    finally:
        sys.setrecursionlimit(limit)
    assert [event.reason for event in out.dropped] == ["redaction_failed"]
    assert len(out.records) == 1


def test_redaction_comes_before_the_cut() -> None:
    """Half of a secret is not known to be one."""
    for shift in range(60):
        text = "y" * (MAX_ENCODED // 4 - shift) + f" {GITHUB} " + "z" * MAX_ENCODED
        out = send([Event(text)], processing("github"))
        assert b"ghp_" not in out.records[0].value
        assert b"ghp_" not in (out.cut[0].original or b"")


def test_what_the_agent_says_is_not_redacted_and_cannot_be_forged() -> None:
    envelope = Envelope(ENVELOPE.source_id, {"source": "shop", "host": "10.1.2.3"}, ())
    batch = Batch(
        [Event("from 10.1.2.3", metadata={"host": "10.9.9.9"})], 1, "s", metadata={"log_file": "/x/10.7.7.7/log"}
    )
    (record,) = outgoing(batch, MARK, envelope, processing("ipv4")).records
    metadata = orjson.loads(record.value)["metadata"]
    assert metadata["host"] == "10.1.2.3"
    assert "10.9.9.9" not in str(metadata)
    assert "10.7.7.7" not in str(metadata)


def test_an_event_without_a_secret_is_sent_byte_for_byte_as_without_redaction() -> None:
    texts = [
        f'10.0.0.{n} - - [02/Mar/2026:08:00:00 +0000] "GET /a?k={n} HTTP/1.1" 200 5 "-" "curl/8"' for n in range(50)
    ]
    for events in (lines("access", *texts), [Event(text, metadata={"n": n}) for n, text in enumerate(texts)]):
        plain = outgoing(Batch(events, 1, "s"), MARK, ENVELOPE)
        assert send(events, processing("secrets", "personal")).records == plain.records


def _own(rule: dict[str, Any]) -> Any:
    return ProcessConfig.model_validate({"redact": [rule]}).redact[0]
