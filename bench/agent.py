"""The agent as it is measured: one run from a file's start, and whether what came to Kafka is the file."""

from __future__ import annotations

import asyncio
import secrets
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Final

import orjson
import run_topics
from measured import Cost, Run
from workloads import Workload

from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig

COMMAND: Final = (sys.executable, "-m", "logintel")


class Agent:
    """`logintel agent run --once` as a process of its own."""

    name: Final = "logintel"

    def __init__(self, scratch: Path, bus: KafkaBusConfig) -> None:
        self._scratch, self._bus = scratch, bus

    def run(self, workload: Workload, path: Path, events: int) -> tuple[Cost, int]:
        """What one run cost, and how many events were lost, doubled or changed."""
        source = f"{workload.name}-{secrets.token_hex(4)}"
        before = asyncio.run(run_topics.ends(self._bus, INGESTION.name))
        cost, _printed = self._send(path, source)
        return cost, asyncio.run(self._differences(source, before, workload, events))

    def _send(self, path: Path, source: str) -> tuple[Cost, bytes]:
        config = self._scratch / "agent.yaml"
        keys = {"name": source, "type": "application", "paths": [str(path)]}
        bus = {"kafka": {"bootstrap_servers": self._bus.bootstrap_servers}}
        config.write_bytes(orjson.dumps({"bus": bus, "sources": [keys]}))
        places: list[str | Path] = ["--config", config, "--data", self._scratch / source]
        words = [*COMMAND, "agent", "run", "--once", *places]
        return Run(self._scratch / "agent.cost", words, self._scratch / "agent.log").finish()

    async def _differences(self, source: str, before: dict[int, int], workload: Workload, events: int) -> int:
        """Events of the run that are not, in order, what the file says; other agents may have sent meanwhile."""
        mark, wrong, found = source.encode(), 0, 0
        expected = chain(workload.lines(events), repeat(None))
        async for record in run_topics.records(self._bus, INGESTION.name, before):
            if record.value is not None and mark in record.value:
                wrong += orjson.loads(record.value)["raw_log"] != next(expected)
                found += 1
        return wrong + max(0, events - found)
