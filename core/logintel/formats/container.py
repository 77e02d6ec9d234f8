"""container: what container runtimes wrap around a line: CRI's `time stream flag text` and docker's json-file.

The text inside is opened as well. https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import orjson

from logintel.event import Event
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.nested import Nested
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock

_CRI: Final = re.compile(
    r"([0-9-]{10}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9:]{5})) (stdout|stderr) ([FP](?::[^ ]*)?) ?(.*)", re.DOTALL
)
_DOCKER_OPENING: Final = '{"log":'
_DOCKER: Final = frozenset(("log", "stream", "time", "attrs"))


class ContainerFormat(Format):
    name: ClassVar[str] = "container"

    def __init__(self) -> None:
        self._nested = Nested()

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        # Most records are of neither kind, and every record of `auto` comes here first.
        events = [
            _cri(record, instant)
            if record[10:11] == "T"
            else _docker(record, instant)
            if record.startswith(_DOCKER_OPENING)
            else None
            for record in records
        ]
        if any(events):
            self._nested.open(events, reading)
        return list(events)


def _cri(record: str, instant: Clock) -> Event | None:
    match = _CRI.match(record)
    if match is None or (stamp := instant.text(match[1])) is None:
        return None
    return Event(record, match[4], stamp, metadata={"stream": match[2], "cri_flag": match[3]}, format="container")


def _docker(record: str, instant: Clock) -> Event | None:
    try:
        body: dict[str, Any] = orjson.loads(record)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    text, time = body.get("log"), body.get("time")
    if not isinstance(text, str) or not body.keys() <= _DOCKER:
        return None
    stamp = instant.text(time) if isinstance(time, str) else None
    kept = {key: value for key, value in body.items() if key in ("stream", "attrs")}
    return Event(record, text.removesuffix("\n") or "\n", stamp, metadata=kept, format="container")
