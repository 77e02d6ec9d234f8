"""Rules over real lines: from the text of a log and of a rule file to the alert that a person reads."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from logintel.bus import Record, Stored
from logintel.encoder import Encoder
from logintel.event import Envelope, Event
from logintel.formats import Reading
from logintel.formats.syslog import SyslogFormat
from logintel.identity import counted, identify
from logintel_collector.alerter import Alerter
from logintel_collector.document import Document
from logintel_collector.processor import Processor
from logintel_collector.rules.loading import load_rules

DATA = Path(__file__).parent / "data" / "rules"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def documents_of(log: Path) -> list[Document]:
    """The documents that the collector makes of a syslog file."""
    records = log.read_text().splitlines()
    events = [event for event in SyslogFormat().decode(records, Reading(UTC, NOW)) if isinstance(event, Event)]
    assert len(events) == len(records)
    identities = identify(b"s" * 16, counted(0, events))
    encode = Encoder(Envelope("source", {})).encode
    stored = [
        Stored(
            place,
            Record(encode(event, str(event.timestamp), "record", log_id), b"s" * 16, seq),
        )
        for place, (event, log_id, seq) in enumerate(zip(events, *identities, strict=True))
    ]
    return Processor(lambda: NOW).process(stored, {}).documents


def test_failed_logins_make_the_alerts_that_a_person_expects() -> None:
    rules, problems = load_rules(DATA / "rules.d", "logintel", lambda: NOW)
    assert not problems
    documents = documents_of(DATA / "auth.log")
    changes = Alerter(rules, [], [], lambda: NOW).evaluate(documents)
    tries, first_host = changes.alerts
    assert asdict(tries) == {
        "id": tries.id,
        "title": "invalid users: ip=35.188.49.176",
        "description": "Someone tries user names.\n3 events in 60s with ip=35.188.49.176, threshold 3",
        "severity": "CRITICAL",
        "status": "OPEN",
        "source_id": "source",
        "log_entry_id": documents[1].log_id,
        "rule_id": rules[0].id,
        "triggered_at": "2026-02-12T14:10:21.000000Z",
        "metadata": {
            "rule": "invalid users",
            "group": {"metadata.ip": "35.188.49.176"},
            "where": "ip=35.188.49.176",
            "window": "60s",
            "count": 3,
            "value": 3,
            "threshold": 3,
            "first_seen": "2026-02-12T14:10:21.000000Z",
            "last_seen": "2026-02-12T14:10:21.000000Z",
            "log_ids": [document.log_id for document in documents[:3]],
            "message": "Invalid user pascal from 35.188.49.176 port 53502",
            "reason": "3 events in 60s with ip=35.188.49.176, threshold 3",
        },
        "acknowledged_at": None,
        "resolved_at": None,
        "acknowledged_by": None,
        "resolved_by": None,
        "escalation_level": 0,
    }
    assert (first_host.title, first_host.severity) == ("pam failures: host=workshop", "LOW")
    assert first_host.metadata["reason"] == "2 matching events with host=workshop"
    assert [(note.alert_id, note.body["occasion"]) for note in changes.notifications] == [
        (tries.id, "opened"),
        (tries.id, "escalated"),
        (first_host.id, "opened"),
    ]
    told: Any = [note.body["alert"] for note in changes.notifications]
    assert [alert["severity"] for alert in told] == ["HIGH", "CRITICAL", "LOW"]


def test_the_same_names_give_the_same_ids_everywhere() -> None:
    documents = documents_of(DATA / "auth.log")
    ids = {
        alert.id
        for _ in range(2)
        for alert in Alerter(load_rules(DATA / "rules.d", "logintel", lambda: NOW).rules, [], [], lambda: NOW)
        .evaluate(documents)
        .alerts
    }
    elsewhere = Alerter(load_rules(DATA / "rules.d", "other", lambda: NOW).rules, [], [], lambda: NOW)
    assert len(ids) == 2
    assert ids.isdisjoint(alert.id for alert in elsewhere.evaluate(documents).alerts)
