"""A line of each layout that the formats name, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logintel.event import Event
from logintel.formats import FormatRegistry, Reading
from logintel.formats.builtin import formats

READING = Reading(ZoneInfo("UTC"), datetime(2026, 11, 22, 12, tzinfo=UTC))
REGISTRY = FormatRegistry({cls.name: cls for cls in formats()})

#: format, record, seconds of the time (None: not stated), level, message (None: the record), fields, some metadata
EXAMPLES: list[tuple[str, str, str | None, str | None, str | None, dict[str, Any], dict[str, Any]]] = [
    ("json", '{"@timestamp":"2026-11-22T10:00:00Z","log.level":"INFO","message":"up","service.name":"shop","process.thread.name":"main"}',
     "10:00:00", "INFO", "up", {"service": "shop", "thread": "main"}, {}),
    ("json", '{"level":30,"time":1795341600000,"pid":7,"hostname":"web","msg":"pino"}', "10:00:00", "INFO", "pino", {"host": "web"}, {"pid": 7}),
    ("json", '{"level":"error","ts":1795341600.5,"logger":"db","caller":"a.go:1","msg":"zap","stacktrace":"main.f"}',
     "10:00:00", "ERROR", "zap", {"class": "db", "method": "a.go:1", "stack_trace": "main.f"}, {"level_text": "error"}),
    ("json", '{"@t":"2026-11-22T10:00:00Z","@l":"Warning","@m":"clef","User":"x"}', "10:00:00", "WARN", "clef", {}, {"User": "x"}),
    ("json", '{"version":"1.1","host":"h","short_message":"gelf","level":3,"timestamp":1795341600.25,"_user":"u"}',
     "10:00:00", "ERROR", "gelf", {"host": "h"}, {"_user": "u"}),
    ("json", '{"t":{"$date":"2026-11-22T10:00:00Z"},"s":"W","c":"STORAGE","ctx":"conn1","msg":"mongo","attr":{"a":1}}',
     "10:00:00", "WARN", "mongo", {"thread": "conn1"}, {"attr": {"a": 1}}),
    ("json", '{"timestamp":"2026-11-22T10:00:00Z","level":"INFO","fields":{"message":"nested","n":3},"target":"app"}',
     "10:00:00", "INFO", "nested", {"class": "app"}, {"fields": {"n": 3}}),
    ("json", '{"asctime":"2026-11-22 10:00:00,000","levelname":"CRITICAL","message":"py","lineno":9,"funcName":"f"}',
     "10:00:00", "FATAL", "py", {"line_number": 9, "method": "f"}, {}),
    ("json", '{"__REALTIME_TIMESTAMP":"1795341600000000","PRIORITY":"4","MESSAGE":"journal","SYSLOG_IDENTIFIER":"sshd"}',
     "10:00:00", "WARN", "journal", {"service": "sshd"}, {}),
    ("logfmt", 'time="2026-11-22T10:00:00Z" level=warning msg="disk \\"a\\" full" host=web free=3%', "10:00:00", "WARN", 'disk "a" full',
     {"host": "web"}, {"free": "3%"}),
    ("syslog", '<165>1 2026-11-22T10:00:00.003Z web shop 8710 ID47 [ex@1 a="1" b="x\\]y"] hello', "10:00:00", "INFO", "hello",
     {"host": "web", "service": "shop"}, {"pid": "8710", "msgid": "ID47", "structured_data": {"ex@1": {"a": "1", "b": "x]y"}}, "facility": "local4"}),
    ("syslog", "<34>Nov 22 10:00:00 web su[12]: failed", "10:00:00", "FATAL", "failed", {"host": "web", "service": "su"}, {"pid": "12"}),
    ("syslog", "Nov 22 10:00:00 web CRON[7]: (root) CMD (true)", "10:00:00", None, "(root) CMD (true)", {"host": "web", "service": "CRON"}, {"pid": "7"}),
    ("syslog", "Nov 22 10:00:00 haproxy[73]: Proxy web started.", "10:00:00", None, "Proxy web started.", {"service": "haproxy"}, {"frontend": "web"}),
    ("syslog", "2026-11-22T11:00:00.5+01:00 web sshd[7]: Invalid user bob from 10.0.0.9 port 22", "10:00:00", None,
     "Invalid user bob from 10.0.0.9 port 22", {"host": "web", "service": "sshd"}, {"user": "bob", "ip": ["10.0.0.9"], "port": [22]}),
    ("syslog", 'Nov 22 10:00:00 web app[7]: {"level":"error","msg":"inner","n":1}', "10:00:00", "ERROR", "inner", {"host": "web"}, {"n": 1}),
    ("syslog", "<166>Nov 22 10:00:00 fw %ASA-6-302021: Teardown", "10:00:00", "INFO", "Teardown", {"host": "fw"}, {"message_id": "ASA-6-302021"}),
    ("access", '10.0.0.9 - bob [22/Nov/2026:10:00:00 +0000] "GET /a?b=1 HTTP/1.1" 404 153 "http://x/" "curl/8"', "10:00:00", None, None, {},
     {"client_ip": "10.0.0.9", "user": "bob", "http_method": "GET", "path": "/a?b=1", "path_stem": "/a", "query": "b=1", "status": 404,
      "bytes": 153, "referrer": "http://x/", "user_agent": "curl/8", "http_version": "1.1"}),
    ("access", 'shop.example:443 10.0.0.9 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/2.0" 200 - "-" "-" rt=0.5 "upstream"', "10:00:00", None, None, {},
     {"client_ip": "10.0.0.9", "vhost": "shop.example", "vhost_port": 443, "status": 200, "rt": "0.5", "extra": ["upstream"]}),
    ("access", '10.0.0.9 - - [22/Nov/2026:10:00:00 +0000] "\\x16\\x03" 400 0', "10:00:00", None, None, {}, {"status": 400, "request": "\\x16\\x03"}),
    ("java", "2026-11-22 10:00:00.000  WARN 17 --- [app] [main] o.s.b.Boot  : spring", "10:00:00", "WARN", "spring",
     {"thread": "main", "class": "o.s.b.Boot"}, {"pid": "17", "application": "app"}),
    ("java", "2026-11-22 10:00:00,123 [pool-1] ERROR c.e.App:42 - logback", "10:00:00", "ERROR", "logback",
     {"thread": "pool-1", "class": "c.e.App", "line_number": 42}, {}),
    ("java", "2026-11-22 10:00:00,123 INFO org.apache.hadoop.hdfs.NameNode: hadoop", "10:00:00", "INFO", "hadoop",
     {"class": "org.apache.hadoop.hdfs.NameNode"}, {}),
    ("java", "[2026-11-22 10:00:00,123] TRACE text (kafka.server.Log)", "10:00:00", "DEBUG", "text", {"class": "kafka.server.Log"}, {"level_text": "TRACE"}),
    ("java", "[2026-11-22T10:00:00,123][INFO ][o.e.n.Node ] [n1] started", "10:00:00", "INFO", "started", {"class": "o.e.n.Node"}, {"node": "n1"}),
    ("java", "2026-11-22 10:00:00,123 INFO  [org.jboss.as] (MSC 1-2) wildfly", "10:00:00", "INFO", "wildfly", {"class": "org.jboss.as", "thread": "MSC 1-2"}, {}),
    ("java", "22-Nov-2026 10:00:00.344 SEVERE [main] org.apache.Catalina.start tomcat", "10:00:00", "ERROR", "tomcat",
     {"class": "org.apache.Catalina", "method": "start", "thread": "main"}, {}),
    ("java", "INFO  [main] 2026-11-22 10:00:00,123 Daemon.java:68 - cassandra", "10:00:00", "INFO", "cassandra",
     {"class": "Daemon", "line_number": 68, "thread": "main"}, {"file": "Daemon.java"}),
    ("websphere", "[11/22/26 10:00:00:031 GMT] 0000004c ApplicationMg A   WSVR0221I: started", "10:00:00", "INFO", "started",
     {"thread": "0000004c", "class": "ApplicationMg"}, {"code": "WSVR0221I", "level_text": "A"}),
    ("jul", "Nov 22, 2026 10:00:00 AM org.apache.Catalina start\nINFO: two lines", "10:00:00", "INFO", "two lines",
     {"class": "org.apache.Catalina", "method": "start"}, {}),
    ("python", "2026-11-22 10:00:00,123 - shop.db - WARNING - slow", "10:00:00", "WARN", "slow", {"class": "shop.db"}, {"level_text": "WARNING"}),
    ("python", "ERROR:root:basic", None, "ERROR", "basic", {"class": "root"}, {}),
    ("python", "[2026-11-22 10:00:00 +0000] [17] [INFO] Booting worker", "10:00:00", "INFO", "Booting worker", {}, {"pid": "17"}),
    ("python", "2026-11-22 10:00:00.123 | SUCCESS  | app.main:run:42 - loguru", "10:00:00", "INFO", "loguru",
     {"class": "app.main", "method": "run", "line_number": 42}, {}),
    ("text", "2026-11-22 10:00:00 [warn] [pool 3] low on ids", "10:00:00", "WARN", "low on ids", {"thread": "pool 3"}, {}),
    ("text", "2026-11-22T10:00:00Z | CORE | ERROR | (run.go:12) | down", "10:00:00", "ERROR", "down", {"line_number": 12}, {"file": "run.go", "context": ["CORE"]}),
    ("text", "2026-11-22 10:00:00.5 I | embed: ready", "10:00:00", "INFO", "ready", {"class": "embed"}, {"level_text": "I"}),
    ("text", "WARNING: no time, user=bob", None, "WARN", "no time, user=bob", {}, {"user": "bob"}),
    ("klog", "E1122 10:00:00.123456    7 main.go:12] klog", "10:00:00", "ERROR", "klog", {"thread": "7", "line_number": 12}, {"file": "main.go"}),
    ("logcat", "11-22 10:00:00.123  170  239 D WindowManager: logcat", "10:00:00", "DEBUG", "logcat", {"class": "WindowManager", "thread": "239"}, {"pid": "170"}),
    ("apache_error", "[Sun Nov 22 10:00:00.5 2026] [core:error] [pid 35:tid 43] (13)Permission denied: [client 10.0.0.9:80] AH00035: denied",
     "10:00:00", "ERROR", "denied", {"thread": "43"}, {"module": "core", "pid": "35", "client_ip": "10.0.0.9", "code": "AH00035", "status_code": "13"}),
    ("nginx_error", '2026/11/22 10:00:00 [crit] 8#9: *3 open() failed (2: No such file), client: 10.0.0.9, server: s, request: "GET /a HTTP/1.1", host: "h"',
     "10:00:00", "FATAL", "open() failed (2: No such file)", {"thread": "9"}, {"client_ip": "10.0.0.9", "http_method": "GET", "path": "/a", "host": "h"}),
    ("redis", "17:M 22 Nov 2026 10:00:00.123 # warned", "10:00:00", "WARN", "warned", {}, {"pid": "17", "role": "M"}),
    ("postgresql", "2026-11-22 10:00:00.123 UTC [17] bob@shop FATAL:  no such user", "10:00:00", "FATAL", "no such user", {}, {"user": "bob", "database": "shop"}),
    ("mysql", "2026-11-22T10:00:00.123456Z 0 [Warning] [MY-010068] [Server] self-signed", "10:00:00", "WARN", "self-signed", {"thread": "0"}, {"code": "MY-010068"}),
    ("mysql_slow", "# Time: 2026-11-22T10:00:00Z\n# User@Host: bob[bob] @ web [10.0.0.9]\n# Query_time: 3.1  Lock_time: 0.0\nSELECT 1;", "10:00:00", None,
     "SELECT 1;", {}, {"user": "bob", "host": "web", "client_ip": "10.0.0.9", "Query_time": "3.1"}),
    ("mongodb", "2026-11-22T10:00:00.123+0000 E STORAGE  [conn1] broken", "10:00:00", "ERROR", "broken", {}, {"component": "STORAGE", "context": "conn1"}),
    ("haproxy", '10.0.0.9:5000 [22/Nov/2026:10:00:00.123] in web/s1 0/0/1/2/3 200 99 - - ---- 1/2/3/4/0 5/6 "GET /a HTTP/1.1"', "10:00:00", None, None, {},
     {"frontend": "in", "backend": "web", "server": "s1", "status": 200, "termination_state": "----", "path": "/a"}),
    ("squid", "1795341600.123    161 10.0.0.9 TCP_MISS/200 1037 GET http://x/ - DIRECT/10.0.0.1 text/html", "10:00:00", None, None, {},
     {"result": "TCP_MISS", "status": 200, "elapsed_ms": "161"}),
    ("cef", "CEF:0|Acme|Wall|1|100|worm \\| stopped|9|src=10.0.0.9 msg=it was bad cs1\\=x=y rt=1795341600000", "10:00:00", "FATAL", "it was bad cs1=x=y",
     {}, {"device_vendor": "Acme", "src": "10.0.0.9"}),
    ("cef", "LEEF:2.0|Acme|Wall|1|Login|^|src=10.0.0.9^usrName=bob", None, None, None, {}, {"event_id": "Login", "usrName": "bob"}),
    ("auditd", "type=SYSCALL msg=audit(1795341600.123:77): pid=4 msg='op=login res=success'", "10:00:00", None, "pid=4 msg='op=login res=success'",
     {}, {"type": "SYSCALL", "sequence": "77", "pid": "4", "res": "success"}),
    ("ruby", "W, [2026-11-22T10:00:00.5 #12]  WARN -- Main: logger", "10:00:00", "WARN", "logger", {"class": "Main"}, {"pid": "12"}),
    ("monolog", "[2026-11-22 10:00:00] local.EMERGENCY: laravel", "10:00:00", "FATAL", "laravel", {"class": "local"}, {"level_text": "EMERGENCY"}),
    ("erlang", "=INFO REPORT==== 22-Nov-2026::10:00:00 === rabbit", "10:00:00", "INFO", "rabbit", {}, {}),
    ("hana", "[12]{-1}[-1/-1] 2026-11-22 10:00:00.123456 w backup Backup.cpp(00245) : slow", "10:00:00", "WARN", "slow",
     {"thread": "12", "class": "backup", "line_number": 245}, {"file": "Backup.cpp"}),
    ("netfilter", "[17.5] DROP IN=eth0 OUT= MAC=aa:bb:cc:dd:ee:ff:11:22:33:44:55:66:08:00 SRC=10.0.0.9 DST=10.0.0.1 LEN=52 DF PROTO=TCP DPT=22 SYN", None, None, None,
     {}, {"SRC": "10.0.0.9", "DPT": "22", "flags": ["DF", "SYN"], "mac_source": "11:22:33:44:55:66"}),
    ("w3c", "2026-11-22 10:00:00 ::1 GET /a - 80 - 10.0.0.9 curl - 404 0 2 18", "10:00:00", None, None, {}, {"client_ip": "10.0.0.9", "status": 404, "path": "/a"}),
    ("elb", 'h2 2026-11-22T10:00:00.123Z app/lb/5 10.0.0.9:28 10.0.0.1:80 0.1 0.2 0.3 502 - 34 366 "GET https://x.example:443/a?b HTTP/1.1" "curl" TLS1 TLSv1.2 arn "Root=1"',
     "10:00:00", None, None, {}, {"status": 502, "target_ip": "10.0.0.1", "url_host": "x.example", "url_port": 443, "extra": ["arn", "Root=1"]}),
    ("hpc", "- 1795341600 2026.11.22 dn228 Nov 22 10:00:00 dn228/dn228 crond[29]: session closed", "10:00:00", None, "session closed", {"host": "dn228", "service": "crond"}, {"pid": "29"}),
    ("delimited", '2026-11-22T10:00:00Z,SRV\\In,"a,b",warn', "10:00:00", "WARN", None, {}, {"cells": ["SRV\\In", "a,b", "warn"]}),
    ("container", "2026-11-22T10:00:00.123456789Z stderr F level=error msg=inside", "10:00:00", "ERROR", "inside", {}, {"stream": "stderr"}),
    ("container", '{"log":"plain\\n","stream":"stdout","time":"2026-11-22T10:00:00Z"}', "10:00:00", None, "plain", {}, {"stream": "stdout"}),
    ("plain", "no shape at all", None, None, None, {}, {}),
]  # fmt: skip


def _check(
    event: object, example: tuple[str, str, str | None, str | None, str | None, dict[str, Any], dict[str, Any]]
) -> None:
    name, record, clock, level, message, fields, metadata = example
    assert isinstance(event, Event)
    assert event.raw == record
    assert event.format == name
    assert (event.timestamp or "")[:19] == (f"2026-11-22T{clock}" if clock else "")
    assert event.level == level
    assert event.message == (record if message is None else message)
    assert {key: event.fields.get(key) for key in fields} == fields
    assert {key: event.metadata.get(key) for key in metadata} == metadata


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example[0]}:{example[1][:30]}")
def test_the_format_reads_it(
    example: tuple[str, str, str | None, str | None, str | None, dict[str, Any], dict[str, Any]],
) -> None:
    (event,) = REGISTRY.create(example[0]).decode([example[1]], READING)
    _check(event, example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example[0]}:{example[1][:30]}")
def test_auto_finds_the_format(
    example: tuple[str, str, str | None, str | None, str | None, dict[str, Any], dict[str, Any]],
) -> None:
    (event,) = REGISTRY.create("auto").decode([example[1]], READING)
    _check(event, example)


def test_auto_decides_record_by_record_and_keeps_its_first_choice() -> None:
    auto = REGISTRY.create("auto")
    records = [example[1] for example in EXAMPLES]
    for _ in range(3):
        decoded = auto.decode(records, READING)
        assert [event.format for event in decoded if isinstance(event, Event)] == [example[0] for example in EXAMPLES]


def test_a_stack_trace_is_named_and_stays_in_the_message() -> None:
    record = "2026-11-22 10:00:00,123 [main] ERROR a.B - boom\njava.lang.Error: x\n\tat a.B.c(B.java:7)"
    (event,) = REGISTRY.create("auto").decode([record], READING)
    assert isinstance(event, Event)
    assert event.message.startswith("boom\n")
    assert event.fields["stack_trace"] == "java.lang.Error: x\n\tat a.B.c(B.java:7)"


def test_w3c_takes_the_names_of_its_fields_line() -> None:
    w3c = REGISTRY.create("w3c")
    directive, event = w3c.decode(
        ["#Fields: date time c-ip x-mood sc-status", "2026-11-22 10:00:00 10.0.0.9 good 200"], READING
    )
    assert isinstance(directive, Event)
    assert isinstance(event, Event)
    assert event.metadata == {"client_ip": "10.0.0.9", "x-mood": "good", "status": 200}
