"""The HTTP server inside a process that has more to do: uvicorn, which otherwise takes the process's signals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class HttpServer(uvicorn.Server):
    """Leaves signals to the process: the server ends with it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
