"""The ledger: read = acknowledged + dropped + dead letters + waiting, whatever happens and whenever it is killed."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.identity import seq_of
from logintel.main import main
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.checkpoint_contents import Contents
from logintel_agent.ledger import Settled
from logintel_agent.ledger_view import Account, accounts
from logintel_agent.mark import Mark

STAMP = "2026-11-22T10:00:00.000000Z"
HOUR = 490_000
REASONS = ("filter:debug", "sample:tenth")


def mark(count: int, identity: str = "ab" * 16) -> Mark:
    return Mark(identity, {"offset": count}, count, STAMP, "record")


def settled(start: int, acknowledged: int, dropped: dict[str, int] | None = None, dead: int = 0) -> Settled:
    """What became of the events behind the first `start` ones of a stream."""
    dropped = dropped or {}
    read = acknowledged + sum(dropped.values()) + dead
    letters = {"refused_by_bus": dead} if dead else {}
    return Settled(seq_of(start + 1), seq_of(start + read), read, acknowledged, dropped, letters)


def read(path: Path) -> dict[str, Account]:
    """The accounts in a checkpoint, by stream; of those that have ended under ""."""
    return {account.stream: account for account in accounts("worker-0", Contents.read(path))}


class Model:
    """A checkpoint, and beside it what each of its streams must say."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "checkpoint"
        self.hour = HOUR
        self.now: dict[str, Counter[str]] = {}
        self.saved: dict[str, Counter[str]] = {}
        self.names = 0
        self.ids: dict[str, str] = {}
        self.open()

    def open(self) -> None:
        self.checkpoint = Checkpoint(self.path, "machine", lambda: self.hour)

    def batch(self, stream: str, acknowledged: int, dropped: tuple[int, int], dead: int) -> None:
        known = self.checkpoint.mark("shop", stream)
        if known is None:
            self.names += 1
            known = mark(0, f"{self.names:032x}")
            self.checkpoint.record("shop", stream, known)
        reasons = {reason: count for reason, count in zip(REASONS, dropped, strict=True) if count}
        outcome = settled(known.count, acknowledged, reasons, dead)
        if not outcome.read:
            return
        self.checkpoint.waits("shop", stream, outcome.read)
        count = known.count + outcome.read
        self.checkpoint.record("shop", stream, replace(known, cursor={"offset": count}, count=count), outcome)
        counts = Counter(reasons) + Counter(read=outcome.read, acknowledged=acknowledged, refused_by_bus=dead)
        self.now[stream] = self.now.get(stream, Counter()) + counts

    def end(self, stream: str) -> None:
        if self.checkpoint.mark("shop", stream) is not None:
            self.checkpoint.record("shop", stream, None)
            self.now[""] = self.now.get("", Counter()) + self.now.pop(stream, Counter())

    def save(self) -> None:
        asyncio.run(self.checkpoint.save())
        self.saved = copy.deepcopy(self.now)

    def crash(self, torn: bytes) -> None:
        """The process is gone in the middle of a line."""
        self.checkpoint.close()
        with self.path.open("ab") as file:
            file.write(torn)
        self.now = copy.deepcopy(self.saved)
        self.open()

    def check(self) -> None:
        found = read(self.path)
        for stream, account in found.items():
            total = account.total
            outcomes = Counter(total.dropped) + Counter(total.dead_letters) + Counter(acknowledged=total.acknowledged)
            assert outcomes + Counter(read=total.read) == self.saved.get(stream, Counter())
            assert account.gaps == []
            assert len(account.ranges) <= 26
            seqs = [seq for each in account.ranges for seq in (each.first, each.last)]
            assert seqs == sorted(seqs)
        assert {stream for stream, counts in self.saved.items() if counts} <= found.keys()


STREAMS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("batch"), STREAMS, st.integers(0, 5), st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(0, 1)),
    st.tuples(st.just("end"), STREAMS),
    st.tuples(st.just("hours"), st.integers(1, 3)),
    st.tuples(st.just("save")),
    st.tuples(st.just("crash"), st.sampled_from([b"", b"0123", b'0000abcd {"source":"shop"'])),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=60))
def test_it_adds_up_after_any_batches_ends_hours_and_crashes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, *tuple[object, ...]]]
) -> None:
    """Peers' complaint 24: counters that nobody adds up."""
    model = Model(tmp_path_factory.mktemp("ledger"))
    for name, *arguments in steps:
        if name == "hours":
            model.hour += arguments[0]  # type: ignore[operator]
        else:
            getattr(model, name)(*arguments)
        if name in {"save", "crash"}:
            model.check()
    model.save()
    model.check()
    model.checkpoint.close()


def test_dropping_every_second_event_for_weeks_takes_no_more_room_than_a_day(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    hour = HOUR
    checkpoint = Checkpoint(path, "machine", lambda: hour)

    async def run(hours: int) -> int:
        nonlocal hour
        for _ in range(hours):
            hour += 1
            for _ in range(20):
                before = checkpoint.mark("shop", "a") or mark(0)
                outcome = settled(before.count, 500, {"sample:tenth": 500})
                checkpoint.record("shop", "a", mark(before.count + 1000), outcome)
            await checkpoint.save()
        return path.stat().st_size

    asyncio.run(run(24))
    ledger = checkpoint.ledger("shop", "a")
    assert ledger is not None
    day = len(ledger.ranges)
    assert asyncio.run(run(24 * 14)) < 300_000
    assert (day, len(ledger.ranges)) == (24, 26)
    total = ledger.total()
    assert (total.read, total.dropped) == (15 * 24 * 20_000, {"sample:tenth": 15 * 24 * 10_000})
    checkpoint.close()
    assert read(path)["a"].total == total


def test_what_waits_is_seen_from_outside_and_read_again_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    checkpoint = Checkpoint(path, "machine")
    checkpoint.record("shop", "a", mark(10), settled(0, 10))
    checkpoint.waits("shop", "a", 7)
    asyncio.run(checkpoint.save())
    checkpoint.close()
    assert read(path)["a"].waiting == 7
    assert read(path)["a"].as_json()["read"] == 17
    Checkpoint(path, "machine").close()
    assert read(path)["a"].waiting == 0


def test_a_checkpoint_of_version_1_is_taken_over_and_its_events_are_said_to_be_older(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    old = {"id": "ab" * 16, "cursor": 5, "count": 5, "stamp": STAMP, "origin": "record", "partition": 3}
    written(path, {"v": 1, "machine": "machine"}, {"source": "shop", "stream": "a", "mark": old})
    checkpoint = Checkpoint(path, "machine")
    assert checkpoint.mark("shop", "a") == replace(mark(5), cursor=5, partition=3)
    checkpoint.record("shop", "a", mark(8), settled(5, 3))
    asyncio.run(checkpoint.save())
    checkpoint.close()
    account = read(path)["a"]
    assert (account.before, account.total.read, account.gaps) == (5, 3, [])


def test_on_another_machine_the_ledger_of_the_new_id_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    checkpoint = Checkpoint(path, "machine")
    checkpoint.record("shop", "a", mark(10), settled(0, 10))
    asyncio.run(checkpoint.save())
    checkpoint.close()
    Checkpoint(path, "another").close()
    account = read(path)["a"]
    assert (account.before, account.total.read, account.gaps) == (10, 0, [])
    assert account.id != "ab" * 16


def written(path: Path, *entries: dict[str, object]) -> None:
    """A checkpoint of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bodies = [json.dumps(entry).encode() for entry in entries]
    path.write_bytes(b"".join(b"%08x %b\n" % (crc32(body), body) for body in bodies))


@pytest.fixture
def ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`logintel ledger` over the data directory `tmp_path`: exit code, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["ledger", "--data", str(tmp_path), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_command_shows_each_stream_and_the_reasons(
    tmp_path: Path, ledger: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "agent" / "worker-0" / "checkpoint"
    path.parent.mkdir(parents=True)
    hour = HOUR
    checkpoint = Checkpoint(path, "machine", lambda: hour)
    checkpoint.record("shop", "a.log", mark(10), settled(0, 6, {"filter:debug": 3}, 1))
    hour += 1
    checkpoint.record("shop", "a.log", mark(12), settled(10, 2))
    checkpoint.record("mail", "old.log", mark(4, "cd" * 16), settled(0, 4))
    checkpoint.record("mail", "old.log", None)
    checkpoint.waits("shop", "a.log", 5)
    asyncio.run(checkpoint.save())
    checkpoint.close()

    code, out, err = ledger()
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["source", "stream", "read", "acknowledged", "dropped", "dead", "letters", "waiting"],
        ["shop", "a.log", "17", "8", "3", "1", "5"],
        ["mail", "(1", "ended)", "4", "4", "0", "0", "0"],
        ["total", "21", "12", "3", "1", "5"],
        ["dropped:", "3", "filter:debug"],
        ["dead", "letters:", "1", "refused_by_bus"],
    ]
    _, out, _ = ledger("--source", "shop", "--hours")
    assert [line.split()[:5] for line in out.splitlines()[1:4]] == [
        ["shop", "a.log", "2025-11-24T16", "10", "6"],
        ["shop", "a.log", "2025-11-24T17", "2", "2"],
        ["shop", "a.log", "now", "5", "0"],
    ]
    whole = json.loads(ledger("--json", "--stream", "abab")[1])
    assert whole["adds_up"] is True
    (account,) = whole["accounts"]
    assert account["ranges"][0]["seq"] == [[1, 0], [10, 0]]


def test_what_does_not_add_up_is_named_and_fails(tmp_path: Path, ledger: Callable[..., tuple[int, str, str]]) -> None:
    path = tmp_path / "agent" / "worker-0" / "checkpoint"
    state = {"id": "ab" * 16, "cursor": 5, "count": 12, "stamp": STAMP, "origin": "record", "partition": 3}
    stretch = {"hours": ["2026-11-25T19"] * 2, "seq": [[1, 0], [10, 0]], "read": 10, "acknowledged": 8}
    entry: dict[str, object] = {"source": "shop", "stream": "a.log", "mark": state, "ranges": [stretch]}
    written(path, {"v": 2, "machine": ""}, entry)
    code, out, err = ledger()
    assert code == 1
    assert "2 events were read and have no outcome in 2026-11-25T19" in err
    assert "the cursor is behind 12 events, and the ledger knows 10" in err
    assert "shop" in out


def test_without_an_agent_it_says_what_to_do(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "logintel", "ledger", "--data", str(tmp_path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no agent has run here: name its configuration with --config, or --data" in done.stderr
