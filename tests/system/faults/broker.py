"""The broker of a run: a real Kafka of its own, with a door for the agent that leads through the proxy."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from faults.deck import Card, drawn
from faults.history import History
from faults.patience import bring_up
from faults.proxy import Mode, Proxy
from logintel.bus.topics import ALIKE, INGESTION, set_up
from logintel.config.shared import KafkaBusConfig
from logintel_devstack.kafka import Kafka
from logintel_devstack.ports import HOST

#: Partitions are added so often; each costs the broker files.
_GROWTHS: Final = 4


class TwoDoors(Kafka):
    """Tells clients that come by one listener to use `advertised`, the proxy's port, and others the direct one."""

    PORTS = ("client", "controller", "proxied")
    advertised = 0

    def listeners(self) -> str:
        """See Kafka. A broker that was killed may come back as soon as the controller has missed it."""
        return (
            f"listeners=DIRECT://{HOST}:{self.ports['client']},PROXIED://{HOST}:{self.ports['proxied']},"
            f"CONTROLLER://{HOST}:{self.ports['controller']}\n"
            f"advertised.listeners=DIRECT://{HOST}:{self.ports['client']},PROXIED://{HOST}:{self.advertised}\n"
            "listener.security.protocol.map=DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            "inter.broker.listener.name=DIRECT\n"
            "broker.session.timeout.ms=2000\n"
            "broker.heartbeat.interval.ms=500\n"
        )


class Broker:
    """`address` is for the agent, `direct` for whoever judges. A fault lasts `least` to `most` seconds."""

    def __init__(self, home: Path, dice: random.Random, history: History, lasting: tuple[float, float]) -> None:
        self._server, self._proxy = TwoDoors(home), Proxy()
        self._server.advertised = self._proxy.port
        self._dice, self._history, self._lasting = dice, history, lasting
        self._grown = 0

    def start(self) -> None:
        """Return when it serves and has the topics."""
        self._up()
        self._proxy.start()
        asyncio.run(set_up(self.direct))

    def stop(self) -> None:
        """End it and its proxy."""
        self._proxy.stop()
        self._server.down()

    @property
    def address(self) -> str:
        """host:port of the proxy."""
        return f"{HOST}:{self._proxy.port}"

    @property
    def direct(self) -> KafkaBusConfig:
        """How to reach it past the proxy."""
        return KafkaBusConfig(bootstrap_servers=(self._server.address,))

    def heal(self) -> None:
        """Serve as if nothing had been."""
        self._proxy.mode = "pass"
        self._up()

    def cards(self) -> Sequence[Card]:
        """Its faults."""
        return [
            Card(self._killed),
            Card(self._restarted),
            Card(self._frozen, 2),
            Card(lambda: self._through("slow"), 2),
            Card(lambda: self._through("silent"), 2),
            Card(lambda: self._through("answers_lost"), 3),
            Card(self._connections_broken, 2),
            Card(self._grows),
        ]

    def _up(self) -> None:
        bring_up(self._server)
        self._proxy.target = self._server.ports["proxied"]

    def _last(self) -> None:
        time.sleep(drawn(self._dice, self._lasting))

    def _killed(self) -> None:
        with self._history.fault("kafka: killed, down for a while"):
            if self._server.process is not None:
                self._server.process.kill(signal.SIGKILL, within=30)
            self._last()
            self._up()

    def _restarted(self) -> None:
        with self._history.fault("kafka: restarted"):
            self._server.down()
            self._up()

    def _frozen(self) -> None:
        with self._history.fault("kafka: frozen (SIGSTOP)"):
            assert self._server.process is not None
            os.kill(self._server.process.pid, signal.SIGSTOP)
            try:
                self._last()
            finally:
                os.kill(self._server.process.pid, signal.SIGCONT)

    def _through(self, mode: Mode) -> None:
        names = {"slow": "slow", "silent": "half-open", "answers_lost": "answers lost"}
        with self._history.fault(f"kafka: {names[mode]}"):
            self._proxy.mode = mode
            self._last()
            self._proxy.mode = "pass"
            if mode == "answers_lost" or self._dice.random() < 0.5:
                self._proxy.reset()

    def _connections_broken(self) -> None:
        with self._history.fault("kafka: connections broken"):
            self._proxy.reset()

    def _grows(self) -> None:
        if self._grown < _GROWTHS:
            self._grown += 1
            count = INGESTION.partitions + self._grown
            with self._history.fault("kafka: partition added", f"{count} now"):
                asyncio.run(self._grow(count))

    async def _grow(self, count: int) -> None:
        """First the topics that are partitioned alike: the processor needs them as soon as there is a partition more."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._server.address)
        await admin.start()
        try:
            async with asyncio.timeout(30):
                for topic in (*ALIKE, INGESTION):
                    answer = await admin.create_partitions({topic.name: NewPartitions(count)})
                    assert [code for _, code, *_ in answer.topic_errors] == [0], answer
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await admin.close()
