"""Stopping: SIGINT and SIGTERM ask a long-running command to end."""

from __future__ import annotations

import asyncio
import signal

from logintel import logs


def stop_on_signal() -> asyncio.Event:
    """Set by SIGINT or SIGTERM; a second one ends the process at once. Call it inside the running loop."""
    loop = asyncio.get_running_loop()
    logs.watch(loop)
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return stop
