"""The surroundings of the collectors: their three servers, a webhook, and the configuration that names them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from faults.broker import Broker
from faults.deck import Card

from collector_faults.index import Index
from collector_faults.senders import TAG
from collector_faults.tables import Tables

_RULE: Final = f"""
name: watched events
query: {{term: {{tags: {TAG}}}}}
conditions: {{type: match, group_by: metadata.source, recovery: {{after: 30d}}}}
severity: HIGH
is_active: true
"""


@dataclass
class Surroundings:
    """The servers of a run."""

    broker: Broker
    index: Index
    tables: Tables

    def start(self) -> None:
        """Return when all of them serve."""
        servers: tuple[Broker | Index | Tables, ...] = (self.broker, self.index, self.tables)
        with ThreadPoolExecutor(len(servers)) as pool:
            for starting in [pool.submit(server.start) for server in servers]:
                starting.result()

    def stop(self) -> None:
        """End the broker, and what stands before the stores."""
        for server in (self.broker, self.index, self.tables):
            server.stop()

    def cards(self, restarts: bool) -> list[Sequence[Card]]:
        """The faults of each; `restarts`: those of the stores' own processes too."""
        stores = [self.index.cards(may_restart=restarts), self.tables.cards(may_restart=restarts)]
        return [self.broker.cards(), *stores]

    def heal(self) -> None:
        """All serve as if nothing had been."""
        for server in (self.broker, self.index, self.tables):
            server.heal()


def configure(directory: Path, servers: Surroundings, name: str, url: str) -> Path:
    """The collectors' configuration and their one rule. JSON, which is YAML too."""
    rules = directory / "rules"
    rules.mkdir()
    (rules / "watched.yaml").write_text(_RULE)
    config = directory / "collector.yaml"
    settings = {
        "installation": name,
        "bus": {"kafka": {"bootstrap_servers": [servers.broker.address]}},
        "stores": {
            "elasticsearch": {"hosts": [servers.index.url], "prefix": servers.index.prefix},
            "postgres": {"dsn": servers.tables.dsn},
        },
        "rules_dir": str(rules),
        "notify": [{"type": "webhook", "url": url}],
    }
    config.write_text(json.dumps(settings))
    return config


@contextmanager
def hook() -> Iterator[tuple[str, set[str]]]:
    """A webhook's URL, and the notifications that it was told of."""
    told: set[str] = set()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.add(self.headers["Idempotency-Key"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", told
        finally:
            server.shutdown()
            thread.join()
