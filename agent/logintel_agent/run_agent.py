"""Running the agent as a process of its own: locks, signals, the summary at the end."""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from logintel import garbage, logs
from logintel.config.load import Loaded, load_all
from logintel.config.problem import Misconfigured, Problem
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.refused import Refused
from logintel.stopping import stop_on_signal
from logintel_agent.config import AgentConfig
from logintel_agent.crew import Crew
from logintel_agent.reload import Load, Reload
from logintel_agent.seating import seating
from logintel_agent.service import Service
from logintel_agent.supervisor import Supervisor


def run_agent(file: str, data: Path, *, once: bool, as_json: bool) -> int:
    """Run until stopped, or, with `once`, until all is read: then 1 when something could not be read."""
    load = partial(_loaded, file, data)
    loaded = load()
    logs.set_up("info", sys.stderr)
    problems: list[str] = []
    garbage.collect_rarely()
    lock = _locked(loaded.config.agent.data_dir)
    started = time.monotonic()
    try:
        summary = asyncio.run(_work(load, loaded, problems, once=once))
    finally:
        lock.release()
    summary |= {"seconds": round(time.monotonic() - started, 3), "problems": problems}
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
    elif once:
        print(f"{summary['events_sent']} events sent in {summary['seconds']} s")  # noqa: T201 - the command's output
    return 1 if once and problems else 0


async def _work(load: Load, loaded: Loaded[AgentConfig], problems: list[str], *, once: bool) -> dict[str, Any]:
    def tell(text: str) -> None:
        if text not in problems:
            problems.append(text)
            print(f"logintel: {text}", file=sys.stderr)  # noqa: T201 - the command's way of speaking

    config = loaded.config
    seats = seating(config.agent.data_dir, config.agent.worker_count())
    work: Crew | Supervisor = Crew(config, seats.seats, seats, tell, once=once)
    if seats.workers > 1:
        work = Supervisor(config, seats, tell, once=once)
    await Service(config.agent.data_dir, work, Reload(load, loaded, work)).run(stop_on_signal())
    return work.summary


def _loaded(file: str, data: Path) -> Loaded[AgentConfig]:
    """Raises Misconfigured."""
    loaded = load_all(AgentConfig, file, data)
    if loaded.config.bus.kafka is None:
        message = "is missing: the agent sends to Kafka (to collect and store in one process, `logintel run`)"
        raise Misconfigured([Problem(file, 0, "bus.kafka", message)])
    return loaded


def _locked(directory: Path) -> DirectoryLock:
    try:
        return DirectoryLock(directory)
    except DirectoryLocked as error:
        raise Refused(f"{error} with --data or agent.data_dir") from error
    except OSError as error:
        raise Refused(f"data directory {directory}: {error.strerror}: name another one with --data") from error
