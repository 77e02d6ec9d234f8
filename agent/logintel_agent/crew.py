"""The crew: the agents of one process, one for each seat that it serves, each with its own checkpoint and producer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import STATUS
from logintel.config.version import config_version
from logintel.hooks import load_plugins
from logintel.source import SourceContext
from logintel_agent.agent import Agent
from logintel_agent.config import AgentConfig
from logintel_agent.dead_letters import LETTERS, DeadLetters
from logintel_agent.seating import Seating
from logintel_agent.status import Status, joined
from logintel_agent.status_report import StatusReport


class Crew:
    """Runs `config` in `seats`. `tell` is given what a person should know."""

    def __init__(
        self, config: AgentConfig, seats: Sequence[int], seating: Seating, tell: Callable[[str], None], *, once: bool
    ) -> None:
        self.config = config
        self.agents: list[Agent] = []
        self._seats, self._seating, self._once, self._tell = seats, seating, once, tell

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, or until the end of the input in a run that ends."""
        async with AsyncExitStack() as stack:
            self.agents = [await stack.enter_async_context(self._agent(seat)) for seat in self._seats]
            async with asyncio.TaskGroup() as group:
                for agent in self.agents:
                    group.create_task(agent.run(stop))

    async def apply(self, config: AgentConfig, changed: Container[str] = ()) -> None:
        """See Agent. When one agent cannot, those before it go back to what they had."""
        before = self.config
        for number, agent in enumerate(self.agents):
            try:
                await agent.apply(config, changed)
            except BaseException:
                for done in self.agents[:number]:
                    await done.apply(before, changed)
                raise
        self.config = config

    async def stream_counts(self) -> dict[str, int]:
        """Streams that have cursors, by source."""
        return sum((agent.stream_counts() for agent in self.agents), Counter[str]())

    async def status(self, *, streams: bool) -> Status:
        """See status."""
        return joined([await agent.status(streams=streams) for agent in self.agents])

    @property
    def summary(self) -> dict[str, Any]:
        """What was done since the start."""
        return {
            "events_sent": sum(agent.events_sent for agent in self.agents),
            "dropped": dict(sum((agent.dropped for agent in self.agents), Counter[str]())),
            "dead_letters": sum(agent.letters.count for agent in self.agents),
        }

    @asynccontextmanager
    async def _agent(self, seat: int) -> AsyncIterator[Agent]:
        """An agent that reports, with its own producer, which is closed behind it."""
        config, plugins = self.config, load_plugins()
        directory, kafka = config.agent.data_dir, config.bus.kafka
        assert kafka is not None
        share = self._seating.share(seat) if len(self._seating.seats) > 1 else None
        context = SourceContext(
            once=self._once, formats=plugins.formats, own=str(directory), report=self._tell, share=share
        )

        def version() -> str:
            return config_version(self.config)

        letters = DeadLetters(directory / f"worker-{seat}" / LETTERS, config.agent.dead_letters, version)
        producer = KafkaProducer(kafka, letters.keep)

        def facts() -> Status:
            return {"bus": {"trouble": producer.trouble}, "dead_letters": letters.count}

        agent = Agent(
            directory, config.installation, config.sources, plugins, producer, context, letters,
            config.agent.redaction, seat, self._seating, facts,
        )  # fmt: skip
        report = StatusReport(
            Sender(kafka, STATUS),
            config.installation,
            seat,
            version,
            partial(agent.status, streams=False),
            agent.described,
        )
        agent.watcher = report.watch
        try:
            async with report.regularly():
                yield agent
        finally:
            await producer.close()
