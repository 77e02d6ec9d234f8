"""The index of a run: a real Elasticsearch behind a proxy, and what operators, disks and load do to it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from faults.deck import Card, drawn
from faults.history import History
from faults.patience import bring_up
from faults.proxy import Mode

from collector_faults.http_proxy import HttpProxy
from logintel_devstack.elasticsearch import Elasticsearch
from logintel_devstack.ports import HOST

#: Requests that wait for one of the few threads that write; a cluster under load answers 429 to those beyond.
_QUEUE: Final = 6
_PAGE: Final = 5000
#: In the first seconds of a run there may be no index.
_PERHAPS_NONE: Final = "?allow_no_indices=true"
#: Seconds that a request of ours may take, on a machine that is busy.
_PATIENCE: Final = 120.0


class Busy(Elasticsearch):
    """With so short a queue that collectors which catch up meet its end."""

    def prepare(self) -> None:
        """See Elasticsearch."""
        super().prepare()
        with (self.home / "config" / "elasticsearch.yml").open("a", encoding="utf-8") as settings:
            settings.write(f"thread_pool.write.queue_size: {_QUEUE}\n")


class Index:
    """`prefix` is that of the run's own indices; `refusals`: from when to when (time.monotonic()) 429 was answered."""

    def __init__(
        self, server: Elasticsearch, prefix: str, dice: random.Random, history: History, lasting: tuple[float, float]
    ) -> None:
        self._server, self.proxy, self.prefix = server, HttpProxy(), prefix
        self._dice, self._history, self._lasting = dice, history, lasting
        self.refusals: list[tuple[float, float]] = []

    def start(self) -> None:
        """Return when it serves."""
        self._up()
        self.proxy.start()

    def stop(self) -> None:
        """End the proxy; the server's owner ends the server."""
        self.proxy.stop()

    @property
    def url(self) -> str:
        """For collectors."""
        return f"http://{HOST}:{self.proxy.port}"

    def heal(self) -> None:
        """Serve as if nothing had been."""
        self.proxy.mode, self.proxy.refusing = "pass", 0
        self._up()

    def cards(self, *, may_restart: bool) -> Sequence[Card]:
        """Its faults; `may_restart`: those too that take long to come back from."""
        modes: tuple[Mode, ...] = ("slow", "silent", "answers_lost")
        return [
            *([Card(self._killed), Card(self._restarted)] if may_restart else []),
            Card(self._frozen, 2),
            *(Card(lambda mode=mode: self._through(mode)) for mode in modes),  # type: ignore[misc]
            Card(self._connections_broken),
            Card(lambda: self._refuses(429), 3),
            Card(lambda: self._refuses(503)),
            Card(self._read_only, 2),
            Card(self._closed),
            Card(self._red, 2),
        ]

    def count(self) -> int:
        """Documents of the run."""
        self._ask("POST", f"/{self._indices}/_refresh")
        return int(self._ask("GET", f"/{self._indices}/_count")["count"])

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """(_id, message and log_id as JSON) of each."""
        self._ask("POST", f"/{self._indices}/_refresh")
        after: dict[str, Any] = {}
        while True:
            query = {"size": _PAGE, "sort": ["_seq_no", "_index"], "_source": ["message", "log_id"], **after}
            hits = self._ask("POST", f"/{self._indices}/_search", query)["hits"]["hits"]
            for hit in hits:
                yield hit["_id"], json.dumps(hit["_source"]).encode()
            if len(hits) < _PAGE:
                return
            after = {"search_after": hits[-1]["sort"]}

    def alerts(self) -> set[str]:
        """Ids of the alerts in engineering_alerts."""
        self._ask("POST", f"/{self.prefix}engineering_alerts/_refresh")
        answer = self._ask("POST", f"/{self.prefix}engineering_alerts/_search", {"size": 1000})
        return {hit["_source"]["alert_id"] for hit in answer["hits"]["hits"]}

    @property
    def _indices(self) -> str:
        return f"{self.prefix}engineering_logs-*"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Past the proxy, as often as it takes: a cluster that is busy gives up what would change it."""
        data = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + _PATIENCE
        while True:
            request = urllib.request.Request(
                f"{self._server.address}{path}", data, {"Content-Type": "application/json"}, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                    return json.loads(answer.read())
            except OSError as error:
                said = error.read().decode()[:400] if isinstance(error, urllib.error.HTTPError) else ""
                self._history.note(f"elasticsearch: {method} {path}: {error} {said}")
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def _up(self) -> None:
        bring_up(self._server)
        self.proxy.target = self._server.ports["client"]

    def _last(self) -> None:
        time.sleep(drawn(self._dice, self._lasting))

    def _killed(self) -> None:
        with self._history.fault("elasticsearch: killed, down for a while"):
            if self._server.process is not None:
                self._server.process.kill(signal.SIGKILL, within=30)
            self._last()
            self._up()

    def _restarted(self) -> None:
        with self._history.fault("elasticsearch: restarted"):
            self._server.down()
            self._up()

    def _frozen(self) -> None:
        with self._history.fault("elasticsearch: frozen (SIGSTOP)"):
            assert self._server.process is not None
            os.killpg(self._server.process.pid, signal.SIGSTOP)
            try:
                self._last()
            finally:
                os.killpg(self._server.process.pid, signal.SIGCONT)

    def _through(self, mode: Mode) -> None:
        names = {"slow": "slow", "silent": "half-open", "answers_lost": "answers lost"}
        with self._history.fault(f"elasticsearch: {names[mode]}"):
            self.proxy.mode = mode
            self._last()
            self.proxy.mode = "pass"
            if mode == "answers_lost" or self._dice.random() < 0.5:
                self.proxy.reset()

    def _connections_broken(self) -> None:
        with self._history.fault("elasticsearch: connections broken"):
            self.proxy.reset()

    def _refuses(self, status: int) -> None:
        with self._history.fault(f"elasticsearch: answers {status}"):
            began = time.monotonic()
            self.proxy.refusing = status
            self._last()
            self.proxy.refusing = 0
            self.refusals.append((began, time.monotonic()))

    def _read_only(self) -> None:
        """As a node does to its indices when its disk is at the flood stage, until there is room again."""
        with self._history.fault("elasticsearch: read-only (disk watermark)"), self._setting(True):
            self._last()

    @contextmanager
    def _setting(self, block: bool) -> Iterator[None]:
        setting = {"index.blocks.read_only_allow_delete": block}
        self._ask("PUT", f"/{self._indices}/_settings{_PERHAPS_NONE}", setting)
        try:
            yield
        finally:
            self._ask(
                "PUT", f"/{self._indices}/_settings{_PERHAPS_NONE}", {"index.blocks.read_only_allow_delete": None}
            )

    def _closed(self) -> None:
        with self._history.fault("elasticsearch: indices closed"), self._closing():
            self._last()

    def _red(self) -> None:
        """Indices that are opened while nothing may be allocated have no shards."""
        with self._history.fault("elasticsearch: red (shards unassigned)"):
            with self._closing():
                self._allocate("none")
            try:
                self._last()
            finally:
                self._allocate(None)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Named one by one, as Elasticsearch wants it, and those that are healthy: one that was made just now may not
        have its shard yet, and would have all refused."""
        health = self._ask("GET", f"/_cluster/health/{self._indices}?level=indices")["indices"]
        names = ",".join(name for name, index in health.items() if index["status"] != "red")
        if names:
            self._ask("POST", f"/{names}/_close")
        try:
            yield
        finally:
            if names:
                self._ask("POST", f"/{names}/_open?wait_for_active_shards=0")

    def _allocate(self, what: str | None) -> None:
        self._ask("PUT", "/_cluster/settings", {"persistent": {"cluster.routing.allocation.enable": what}})
