"""rsyslog as it is measured: one run from a file's start: imfile, parsed, JSON to Kafka with lz4 and acks=all."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import run_topics
from measured import Cost, Run
from workloads import Workload

from logintel.config.shared import KafkaBusConfig

#: Seconds that one run may take, and between looks whether Kafka has all.
_PATIENCE: Final = 500.0
_LOOK_EVERY: Final = 0.25

# The fastest of what we tried: without imfile's metadata, with the default of records per turn, into one partition.
_CONFIG: Final = """\
global(workDirectory="{work}" maxMessageSize="64k")
main_queue(queue.type="FixedArray" queue.size="100000")
module(load="imfile" mode="inotify")
module(load="{parser}")
module(load="omkafka")
template(name="parsed" type="list") {{ property(name="$!all-json") }}
ruleset(name="bench") {{
    action(type="{parser}" {parsing})
    action(
        type="omkafka" broker={broker} topic="{topic}" template="parsed"
        confParam=["compression.codec=lz4", "linger.ms=50", "batch.num.messages=10000",
            "queue.buffering.max.messages=200000"]
        topicConfParam=["request.required.acks=-1"]
        resubmitOnFailure="on" keepFailedMessages="on" failedMsgFile="{work}/failed" closeTimeout="20000"
    )
}}
input(type="imfile" file="{file}" tag="bench" addMetadata="off" ruleset="bench" {reading})
"""
_NGINX: Final = """\
version=2
rule=:%remote:ipv4% %ident:word% %user:word% [%time:char-to:]%] "%verb:word% %path:word% HTTP/%version:char-to:"%" \
%{"name":"status","type":"number","format":"number"}% %{"name":"bytes","type":"number","format":"number"}% \
"%referrer:char-to:"%" "%agent:char-to:"%"
"""
_JAVA: Final = """\
version=2
rule=:%date:date-iso% %time:word% %level:word%%-:whitespace%[%thread:char-to:]%] %logger:word% - %message:rest%
"""


class _Reading(NamedTuple):
    """How a workload is read and parsed, and a key that every parsed record has."""

    parser: str
    parsing: str
    key: bytes
    rules: str = ""
    reading: str = ""


_READINGS: Final = {
    "W1": _Reading("mmnormalize", 'rulebase="{rules}"', b'"status":', _NGINX),
    "W2": _Reading("mmjsonparse", 'cookie=""', b'"trace_id":'),
    "W3": _Reading(
        "mmnormalize",
        'rulebase="{rules}"',
        b'"thread":',
        _JAVA,
        'startmsg.regex="^[0-9]{4}-" escapeLF="off" readTimeout="1"',
    ),
}


class Rsyslog:
    """rsyslogd in the foreground, with nothing of the host's rsyslog: its own configuration, state and process id."""

    name: Final = "rsyslog"

    def __init__(self, scratch: Path, bus: KafkaBusConfig) -> None:
        self._scratch, self._bus = scratch, bus
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
        self._program = shutil.which("rsyslogd", path=path)

    def missing(self, workload: Workload) -> str | None:
        """Why it cannot run the workload; None: it can."""
        if self._program is None:
            return "rsyslogd is not installed"
        work = self._work()
        config = self._configure(workload, work, work / "none", "none")
        checking = [self._program, "-N1", "-f", str(config)]
        checked = subprocess.run(checking, check=False, capture_output=True, text=True, timeout=60)
        if checked.returncode == 0:
            return None
        lines = [line for line in checked.stderr.splitlines() if "could not load module" in line]
        first = (lines or checked.stderr.splitlines() or ["its configuration does not load"])[0]
        return first.partition(", errors:")[0]

    def run(self, workload: Workload, path: Path, events: int) -> tuple[Cost, int]:
        """What one run cost, and how many events are missing, too many or not parsed."""
        topic = f"bench-rsyslog-{secrets.token_hex(4)}"
        asyncio.run(run_topics.make(self._bus, topic))
        try:
            return self._run(workload, path, events, topic)
        finally:
            asyncio.run(run_topics.delete(self._bus, topic))

    def _run(self, workload: Workload, path: Path, events: int, topic: str) -> tuple[Cost, int]:
        work = self._work()
        config, pid_file = self._configure(workload, work, path, topic), work / "pid"
        words: list[str | Path] = [str(self._program), "-n", "-i", pid_file, "-f", config]
        started = time.monotonic()
        run = Run(work / "cost", words, work / "log")
        try:
            self._wait(run, topic, events, started + _PATIENCE)
            seconds = time.monotonic() - started
        finally:
            # By its own id: the host's rsyslog is none of our business.
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGTERM)
        cost, _printed = run.finish()
        return cost._replace(seconds=seconds), asyncio.run(self._differences(topic, events, _READINGS[workload.name]))

    def _wait(self, run: Run, topic: str, events: int, deadline: float) -> None:
        """Until Kafka has all events."""
        while time.monotonic() < deadline and not run.ended:
            if sum(asyncio.run(run_topics.ends(self._bus, topic)).values()) >= events:
                return
            time.sleep(_LOOK_EVERY)

    async def _differences(self, topic: str, events: int, reading: _Reading) -> int:
        good = found = 0
        async for record in run_topics.records(self._bus, topic, {}):
            found += 1
            good += reading.key in (record.value or b"")
        return abs(found - events) + found - good

    def _work(self) -> Path:
        work = self._scratch / f"rsyslog-{secrets.token_hex(4)}"
        work.mkdir()
        return work

    def _configure(self, workload: Workload, work: Path, path: Path, topic: str) -> Path:
        reading, rules, config = _READINGS[workload.name], work / "rules", work / "rsyslog.conf"
        rules.write_text(reading.rules)
        broker = orjson.dumps(self._bus.bootstrap_servers).decode()
        values = {"parser": reading.parser, "parsing": reading.parsing.format(rules=rules), "reading": reading.reading}
        config.write_text(_CONFIG.format(work=work, broker=broker, topic=topic, file=path, **values))
        return config
