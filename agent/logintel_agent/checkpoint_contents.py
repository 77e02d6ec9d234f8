"""What a checkpoint says: each stream's mark and ledger, and what became of the streams that have ended.

Checked lines (logintel_agent.checked_lines), of which the later counts:

    {"v": 2, "machine": …}                                         the first
    {"source", "stream", "mark", "before", "ranges", "waiting"}    where a stream is; `ranges` from their first seq on
    {"source", "stream", "mark": null, "before", "ranges"}         it has ended
    {"source", "ended": {"streams", "before", "hours"}}            those of a source that have ended, in all

Version 1 knew no ledger: it begins where the stream was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from logintel.identity import new_stream_id
from logintel.refused import Refused
from logintel_agent.checked_lines import entry_of
from logintel_agent.ledger import EndedStreams, Settled, StreamLedger, most_ranges, range_from_json
from logintel_agent.mark import Mark

#: (source, stream)
Key: TypeAlias = tuple[str, str]
VERSION: Final = 2


@dataclass(slots=True)
class Contents:
    """Of one worker's checkpoint; `damaged`: lines that could not be read."""

    marks: dict[Key, Mark] = field(default_factory=dict)
    ledgers: dict[Key, StreamLedger] = field(default_factory=dict)
    ended: dict[str, EndedStreams] = field(default_factory=dict)
    damaged: int = 0
    _version: int = VERSION
    _renew: bool = False

    @classmethod
    def read(cls, path: Path, machine: str = "") -> Contents:
        """What the file says; nothing where there is none. On another machine than `machine` all streams get new ids,
        and their ledgers begin anew. Raises Refused, OSError."""
        contents = cls()
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return contents
        for line in filter(None, data.split(b"\n")):
            entry = entry_of(line)
            if entry is None:
                contents.damaged += 1
            elif "machine" in entry:
                contents._begin(path, entry, machine)
            else:
                contents._replay(entry)
        return contents

    def settle(self, key: Key, mark: Mark, settled: Settled | None, hour: int) -> int:
        """The stream is at `mark` now, behind what was settled in `hour`; how many ranges that began."""
        self.marks[key] = mark
        ledger = self.ledgers.get(key)
        if ledger is None:
            ledger = self.ledgers[key] = StreamLedger(mark.count - (settled.read if settled else 0))
        if settled is None:
            return 0
        ledger.waiting = max(0, ledger.waiting - settled.read)
        return int(ledger.settle(settled, hour, most_ranges(len(self.ledgers))))

    def end(self, key: Key) -> dict[str, object]:
        """The stream has ended: forget it. The line that says so."""
        self.marks.pop(key, None)
        ledger = self.ledgers.pop(key, None)
        if ledger is None:
            return {"source": key[0], "stream": key[1], "mark": None}
        self.ended.setdefault(key[0], EndedStreams()).add(ledger)
        ranges = _ranges(ledger, len(ledger.ranges))
        return {"source": key[0], "stream": key[1], "mark": None, "before": ledger.before, "ranges": ranges}

    def entry(self, key: Key, newest: int) -> dict[str, object]:
        """The line that says where the stream is, with its `newest` ranges."""
        ledger = self.ledgers[key]
        entry: dict[str, object] = {"source": key[0], "stream": key[1], "mark": asdict(self.marks[key])}
        if ledger.before:
            entry["before"] = ledger.before
        if newest and ledger.ranges:
            entry["ranges"] = _ranges(ledger, newest)
        if ledger.waiting:
            entry["waiting"] = ledger.waiting
        return entry

    def entries(self) -> Iterator[dict[str, object]]:
        """Lines that say all of it, behind the first."""
        for source, ended in self.ended.items():
            yield {"source": source, "ended": ended.as_json()}
        for key in self.marks:
            yield self.entry(key, len(self.ledgers[key].ranges))

    def _begin(self, path: Path, head: dict[str, Any], machine: str) -> None:
        self._version = head["v"]
        if self._version > VERSION:
            raise Refused(f"{path} was written by a newer logintel (version {head['v']}): use that one again")
        self._renew = bool(machine) and head["machine"] not in ("", machine)

    def _replay(self, entry: dict[str, Any]) -> None:
        if "ended" in entry:
            if not self._renew:
                self.ended[entry["source"]] = EndedStreams.from_json(entry["ended"])
            return
        key, mark = (entry["source"], entry["stream"]), entry["mark"]
        if mark is not None:
            self._place(key, Mark(**{name: mark[name] for name in Mark.__slots__ if name in mark}), entry)
            return
        if "ranges" in entry and not self._renew:  # a short life may stand in this one line
            ledger = self.ledgers.setdefault(key, StreamLedger(entry.get("before", 0)))
            self._resume(ledger, entry)
        if self._renew:
            self.ledgers.pop(key, None)
        self.end(key)

    def _place(self, key: Key, mark: Mark, entry: dict[str, Any]) -> None:
        if self._renew or self._version < 2:
            self.marks[key] = replace(mark, id=new_stream_id().hex()) if self._renew else mark
            self.ledgers[key] = StreamLedger(mark.count)
            return
        self.marks[key] = mark
        ledger = self.ledgers.setdefault(key, StreamLedger())
        ledger.before, ledger.waiting = entry.get("before", 0), entry.get("waiting", 0)
        self._resume(ledger, entry)

    def _resume(self, ledger: StreamLedger, entry: dict[str, Any]) -> None:
        ledger.resume([range_from_json(each) for each in entry.get("ranges", ())], most_ranges(len(self.ledgers)))


def _ranges(ledger: StreamLedger, newest: int) -> list[dict[str, Any]]:
    return [each.as_json() for each in ledger.ranges[-newest:]]
