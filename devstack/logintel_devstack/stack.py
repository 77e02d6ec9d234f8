"""The devstack of one directory: its servers brought up side by side, looked at, and brought down."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from logintel_devstack.cache import exclusive
from logintel_devstack.elasticsearch import Elasticsearch, Elasticsearch8
from logintel_devstack.elasticsearch_secured import ElasticsearchSecured
from logintel_devstack.kafka import Kafka
from logintel_devstack.kafka_secured import KafkaSecured
from logintel_devstack.postgres import Postgres
from logintel_devstack.server import Server

_SERVERS: Final[dict[str, type[Server]]] = {
    server.name: server
    for server in (Kafka, KafkaSecured, Elasticsearch, Elasticsearch8, ElasticsearchSecured, Postgres)
}
NAMES: Final = tuple(_SERVERS)
#: What comes up where nobody says which.
USUAL: Final = (Kafka.name, Elasticsearch.name, Postgres.name)


class Stack:
    """`directory` holds the data of each server and what is remembered of it; two at once wait for each other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def up(self, names: Collection[str] = USUAL) -> dict[str, str]:
        """Return each server's address when all of them serve; what runs already is left alone. Raises Refused."""
        with self._alone():
            servers = self._servers(names)
            _side_by_side(servers, lambda server: server.up())
        return {server.name: server.address for server in servers}

    def status(self) -> dict[str, Server]:
        """Every server that was ever up here."""
        return {server.name: server for server in self._servers(NAMES) if server.ports}

    def down(self, names: Collection[str] = NAMES) -> list[str]:
        """Stop what runs; the names of those that did. Their data stays."""
        if not self.directory.exists():
            return []
        with self._alone():
            servers = [server for server in self._servers(names) if server.running]
            _side_by_side(servers, lambda server: server.down())
        return [server.name for server in servers]

    def kill(self, name: str) -> None:
        """End a server as a crash does: SIGKILL, without a chance to tidy up."""
        (server,) = self._servers([name])
        if server.process is not None:
            server.process.kill(signal.SIGKILL, within=30)

    def _servers(self, names: Collection[str]) -> list[Server]:
        return [_SERVERS[name](self.directory / name) for name in NAMES if name in names]

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive(self.directory / ".lock")


def _side_by_side(servers: list[Server], do: Callable[[Server], None]) -> None:
    """Each in a thread of its own, to their ends; every error is told."""
    with ThreadPoolExecutor(max_workers=len(servers) or 1) as pool:
        doing = [pool.submit(do, server) for server in servers]
    errors = [error for one in doing if isinstance(error := one.exception(), Exception)]
    if errors:
        raise ExceptionGroup("devstack", errors)
