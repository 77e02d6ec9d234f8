"""Files to agent to Kafka to every role to Elasticsearch and PostgreSQL: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, comparable

from logintel.bus.topics import ALERTS, DEAD_LETTERS, PROCESSING
from logintel_devstack.stack import Stack

EXAMPLES = Path(__file__).parents[2] / "examples"
ROLES = ("processor", "indexer", "recorder", "alerter", "notifier", "keeper")
LINES = 20_000
BURST = """
name: burst of errors
query: {bool: {filter: [{term: {level: ERROR}}, {prefix: {message: order}}]}}
conditions: {type: threshold, window: 10s, count: 50, group_by: metadata.source, recovery: {after: 5m}}
severity: HIGH
is_active: true
"""


def alerts(installation: Installation, *where: str | Path) -> list[tuple[Any, ...]]:
    """What the alerts say, in order of time, without the ids that a reading gives."""
    done = installation.finished("alerts", "list", *where, "--json", "--limit", "0")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    said = ("count", "first_seen", "last_seen", "reason")
    return sorted(
        (a["triggered_at"], a["title"], a["severity"], a["status"], *(a["metadata"].get(key) for key in said))
        for a in found
    )


def test_real_logs_are_stored_as_one_process_stores_them(installation: Installation) -> None:
    sources = [{"name": "samples", "type": "application", "paths": [str(EXAMPLES / "samples")]}]
    installation.configure(sources, rules_dir=str(EXAMPLES / "rules"))
    installation.run_in_one_process("one", sources, EXAMPLES / "rules")
    lines = installation.finished("search", "*", "--data", "one", "--json", "--limit", "0").stdout.splitlines()
    expected = [json.loads(line) for line in lines]

    roles = installation.run_once()

    count = len(expected)
    # The alerter reads from the earliest record, so also what other tests have sent.
    assert {role: roles[role]["done"] for role in ROLES[:3]} == dict.fromkeys(ROLES[:3], count)
    assert roles["alerter"]["done"] >= count
    documents = installation.search("*")
    assert comparable(documents) == comparable(expected)
    rows = installation.rows("SELECT id::text, log_id, level, message, category, size_bytes FROM log_entries")
    assert sorted(map(str, rows)) == sorted(
        str({"id": d["log_id"], **{k: d[k] for k in ("log_id", "level", "message", "category", "size_bytes")}})
        for d in documents
    )
    assert installation.rows("SELECT name, type FROM log_sources") == [{"name": "samples", "type": "application"}]
    # Which alerts there are depends on the order of files whose times lie years apart; here only that there are some.
    assert {alert[1] for alert in alerts(installation, "--config", installation.collector)} >= {
        "fatal error: source=samples",
        "failed logins: ip=35.188.49.176",
    }


@pytest.fixture
def hook() -> Iterator[tuple[str, Counter[str]]]:
    """A webhook's URL, and how often each notification came."""
    told: Counter[str] = Counter()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told[self.headers["Idempotency-Key"]] += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", told
        server.shutdown()
        thread.join()


def numbered(first: int, last: int) -> str:
    """Lines a tenth of a second apart; in every tenth minute errors come in bursts that the rule must see."""
    lines = []
    for n in range(first, last):
        minutes, tenths = divmod(n, 600)
        level = "ERROR" if minutes % 10 == 3 and tenths < 80 else "INFO"
        hours, minutes = divmod(minutes, 60)
        lines.append(
            f"2026-11-22 {10 + hours:02}:{minutes:02}:{tenths // 10:02}.{tenths % 10}00 {level} order {n:06} \n"
        )
    return "".join(lines)


def test_everything_is_killed_in_turn_and_each_line_is_there_once(
    installation: Installation, devstack: Stack, hook: tuple[str, Counter[str]]
) -> None:
    url, told = hook
    rules = installation.directory / "rules"
    rules.mkdir()
    (rules / "burst.yaml").write_text(BURST)
    log = installation.directory / "app.log"
    log.touch()
    sources = [{"name": installation.name, "type": "application", "paths": [str(log)]}]
    installation.configure(sources, rules_dir=str(rules), notify=[{"type": "webhook", "url": url}])
    dice = random.Random(4)

    processes = ("agent", *ROLES)
    for process in processes:
        installation.start(process)
    victims = [*processes, "kafka"]
    written = 0
    for number, victim in enumerate(victims, 1):
        upto = LINES * number // (len(victims) + 1)
        with log.open("a") as out:
            out.write(numbered(written, upto))
        written = upto
        time.sleep(dice.uniform(0.2, 1.5))
        if victim == "kafka":
            devstack.kill("kafka")
            devstack.up(["kafka"])
        else:
            installation.kill(victim)
            installation.start(victim)
    with log.open("a") as out:
        out.write(numbered(written, LINES))
    wait_for(installation, LINES)
    installation.stop()
    installation.collect_once()

    messages = [f"order {n:06}" for n in range(LINES)]
    documents = installation.search("*")
    assert sorted(document["message"] for document in documents) == messages
    assert len({document["log_id"] for document in documents}) == LINES
    rows = installation.rows("SELECT id::text, message FROM log_entries")
    assert sorted(row["message"] for row in rows) == messages
    assert {row["id"] for row in rows} == {document["log_id"] for document in documents}
    mark = installation.name.encode()
    on_topic = Counter(dict(r.headers)["log_id"] for r in installation.read(PROCESSING) if mark in r.value)
    assert len(on_topic) == LINES == on_topic.total()
    assert not [letter for letter in installation.read(DEAD_LETTERS) if mark in (letter.value or b"")]

    installation.run_in_one_process("one", sources, rules)
    expected = alerts(installation, "--data", "one")
    assert len(expected) == 4
    found = alerts(installation, "--config", installation.collector)
    assert [alert for alert in found if installation.name in alert[1]] == expected
    outbox = {str(row["id"]) for row in installation.rows("SELECT id FROM outbox")}
    assert set(told) == outbox
    assert {json.loads(record.value)["notification"]["id"] for record in installation.read(ALERTS)} >= outbox


def wait_for(installation: Installation, count: int) -> None:
    """Until both stores hold so many, or have held the same for a long time."""
    held, since = (0, 0), time.monotonic()
    while held != (count, count) and time.monotonic() - since < 60:
        rows = installation.rows("SELECT count(*) FROM log_entries")[0]["count"]
        now = (installation.count("*"), int(rows))
        if now != held:
            held, since = now, time.monotonic()
        time.sleep(0.5)
