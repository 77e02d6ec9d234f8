"""Dead letters of the agent: whole, bounded, only for the owner; a command finds, shows and takes them away."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from logintel.bus import Record
from logintel.config.load import load
from logintel.duration import Duration
from logintel.encoder import Encoder
from logintel.event import Envelope, Event
from logintel.identity import identify
from logintel.letter_box import StaysHere
from logintel.main import main
from logintel.size import Size
from logintel_agent.config import AgentConfig
from logintel_agent.dead_letter_files import DeadLetterFiles
from logintel_agent.dead_letters import LETTERS, DeadLetters, DeadLettersSection, Refusal
from logintel_agent.kept_letter import Kept
from logintel_agent.letter_reentry import Reentry

STREAM = b"s" * 16
ENCODER = Encoder(Envelope("6f1d5c2e-8a0b-5f4e-9c57-1f0e6c6f6769", {"source": "shop"}))
ERROR = "MessageSizeTooLargeError: too large"


def records(count: int, fill: str = "") -> list[Record]:
    log_ids, seqs = identify(STREAM, [(n, n + 1) for n in range(count)])
    return [
        Record(ENCODER.encode(Event(f"event {n} {fill}"), "2026-03-04T05:06:07.000000Z", "record", log_id), STREAM, seq)
        for n, (log_id, seq) in enumerate(zip(log_ids, seqs, strict=True))
    ]


def letters(directory: Path, max_bytes: str = "1MiB", max_age: str = "30d") -> DeadLetters:
    return DeadLetters(
        directory, DeadLettersSection(max_bytes=Size(max_bytes), max_age=Duration(max_age)), lambda: "c0ffee"
    )


def keep(into: DeadLetters, refused: Iterable[Record]) -> None:
    async def run() -> None:
        for record in refused:
            await into.keep(record, ERROR)

    asyncio.run(run())


def files(directory: Path) -> DeadLetterFiles:
    return DeadLetterFiles(directory, 10**9, 10**9)


def kept(directory: Path) -> list[Kept]:
    return [found.kept for found in files(directory).read()]


def test_a_letter_is_whole_and_says_why(tmp_path: Path) -> None:
    (record,) = records(1, "ä\0")
    keep(letters(tmp_path), [record])
    (found,) = kept(tmp_path)
    assert (found.letter.original, found.letter.stream, found.letter.seq, found.source) == (*record, "shop")
    assert found.letter.log_id == json.loads(record.value)["log_id"]
    about = (found.letter.stage, found.letter.reason, found.letter.error, found.letter.config_version)
    assert about == ("send", "refused_by_bus", ERROR, "c0ffee")
    assert {path.stat().st_mode & 0o777 for path in files(tmp_path).segments()} == {0o600}


def test_what_is_not_even_an_event_is_kept_under_an_id_of_its_own(tmp_path: Path) -> None:
    keep(letters(tmp_path), [Record(b"\xff\n", STREAM, records(1)[0].seq)])
    (found,) = kept(tmp_path)
    assert found.letter.original == b"\xff\n"
    assert len(found.letter.log_id) == 36


def test_what_comes_again_after_a_crash_is_kept_once(tmp_path: Path) -> None:
    first, second = records(2)
    keep(letters(tmp_path), [first, first])
    again = letters(tmp_path)
    keep(again, [first, second])
    assert [found.letter.original for found in kept(tmp_path)] == [first.value, second.value]
    assert again.count == 1


def test_the_oldest_make_room_and_that_is_counted_and_said(tmp_path: Path) -> None:
    """Bounded in size: peers' wish 9."""
    sent = records(100, "x" * 900)
    with capture_logs() as logs:
        keep(letters(tmp_path, "64KiB"), sent)
    held = [found.letter.original for found in kept(tmp_path)]
    assert sum(path.stat().st_size for path in files(tmp_path).segments()) <= 64 * 1024
    assert held == [record.value for record in sent[-len(held) :]]
    assert len(held) > 20
    assert files(tmp_path).dropped() == {"max_bytes": 100 - len(held)}
    said = [log for log in logs if log["event"] == "dead_letters_dropped"]
    assert sum(log["letters"] for log in said) == 100 - len(held) == said[-1]["total"]


def test_two_partitions_may_refuse_at_the_same_time(tmp_path: Path) -> None:
    into = letters(tmp_path)

    async def run() -> None:
        await asyncio.gather(*(into.keep(record, ERROR) for record in records(20)))

    with capture_logs() as logs:
        asyncio.run(run())
    assert sorted(found.letter.seq for found in kept(tmp_path)) == [record.seq for record in records(20)]
    assert {log["event"] for log in logs} == {"dead_letter"}


def test_one_that_is_larger_than_all_the_room_is_counted(tmp_path: Path) -> None:
    keep(letters(tmp_path, "64KiB"), [records(1, "x" * 100_000)[0], records(2)[1]])
    assert len(kept(tmp_path)) == 1
    assert files(tmp_path).dropped() == {"max_bytes": 1}


def test_the_old_go_now_and_then_and_when_others_come(tmp_path: Path) -> None:
    first, second, third = records(3)
    keep(letters(tmp_path, max_age="1h"), [first])
    for segment in files(tmp_path).segments():
        os.utime(segment, (time.time() - 3700,) * 2)
    asyncio.run(letters(tmp_path, max_age="2h").expire())
    assert len(kept(tmp_path)) == 1
    started = letters(tmp_path, max_age="1h")
    asyncio.run(started.expire())
    assert kept(tmp_path) == []
    keep(started, [second])
    for segment in files(tmp_path).segments():
        os.utime(segment, (time.time() - 3700,) * 2)
    keep(started, [third])
    assert [found.letter.original for found in kept(tmp_path)] == [third.value]
    assert files(tmp_path).dropped() == {"max_age": 2}


@pytest.mark.parametrize("lost", [1, 20, 200])
def test_a_torn_last_line_is_counted_and_costs_nothing_else(tmp_path: Path, lost: int) -> None:
    first, second, third = records(3)
    keep(letters(tmp_path), [first, second])
    (segment,) = files(tmp_path).segments()
    segment.write_bytes(segment.read_bytes()[:-lost])
    keep(letters(tmp_path), [third])
    reading = files(tmp_path)
    found = [each.kept.letter.original for each in reading.read()]
    torn = [] if lost > 1 else [second.value]  # without its line's end alone it is still whole
    assert found == [first.value, *torn, third.value]
    assert reading.damaged == (1 if lost > 1 else 0)


#: The disk has room again when it is said that it has none.
FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
import structlog
from logintel_agent.dead_letters import DeadLetters, DeadLettersSection, Refusal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
def said(_logger, _method, log):
    print(log["event"])
    if log["event"] == "dead_letter_not_saved":
        room(resource.RLIM_INFINITY)
    raise structlog.DropEvent
structlog.configure(processors=[said])
letters = DeadLetters(Path(sys.argv[1]), DeadLettersSection(), lambda: "")
async def run():
    room(700)
    for n in range(3):
        await letters.keep_all(b"s" * 16, [Refusal(b"%d" % n * 100, bytes([n] * 12), "send", "too_long", "")])
asyncio.run(run())
"""


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    assert "dead_letter_not_saved" in done.stdout
    assert [found.letter.original for found in kept(tmp_path)] == [b"%d" % n * 100 for n in range(3)]


@pytest.fixture
def command(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """`logintel deadletters` over the data directory `tmp_path`: exit code, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        capsysbinary.readouterr()
        code = main(["deadletters", words[0], "--data", str(tmp_path), *words[1:]])
        said = capsysbinary.readouterr()
        return code, said.out.decode(), said.err.decode()

    return run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two letters that the bus refused, of worker 0, and one of worker 1 that was too long."""
    place = tmp_path / "agent" / "worker-0" / LETTERS
    place.parent.mkdir(parents=True)
    keep(letters(place), records(2, "\x1b[31m"))
    other = tmp_path / "agent" / "worker-1" / LETTERS
    other.parent.mkdir()
    value = Encoder(Envelope("6f1d5c2e-8a0b-5f4e-9c57-1f0e6c6f6769", {"source": "mail"})).encode(
        Event("long"), "2026-03-04T05:06:07.000000Z", "record", "id-of-the-long-one"
    )
    refusal = Refusal(value, bytes(12), "send", "too_long", "longer than it may be")
    asyncio.run(letters(other).keep_all(b"t" * 16, [refusal]))
    return place


@pytest.mark.usefixtures("place")
def test_the_list_names_reasons_and_never_content(command: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = command("list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split("  ")[2:5] for line in lines[1:]] == [["shop", "send", "refused_by_bus"]] * 2 + [
        ["mail", "send", "too_long"]
    ]
    assert lines[0] == "3 dead letters: 2 send refused_by_bus, 1 send too_long"
    assert "event 0" not in out
    assert command("list", "--source", "mail")[1].splitlines()[0] == "1 dead letter: 1 send too_long"
    chosen = [json.loads(line) for line in command("list", "--reason", "refused_by_bus", "--json")[1].splitlines()]
    assert [letter["source"] for letter in chosen] == ["shop", "shop"]


@pytest.mark.usefixtures("place")
def test_one_is_shown_whole_and_a_terminal_obeys_nothing_in_it(command: Callable[..., tuple[int, str, str]]) -> None:
    log_id = json.loads(command("list", "--json")[1].splitlines()[0])["log_id"]
    _, out, _ = command("show", log_id)
    assert "\x1b" not in out
    assert r"event 0 \\u001b[31m" in out or r"event 0 \u001b[31m" in out
    assert json.loads(command("show", log_id, "--raw")[1])["raw_log"] == "event 0 \x1b[31m"
    code, _, err = command("show", "nothing")
    assert code == 1
    assert "no such dead letter: nothing: `logintel deadletters list` shows those there are" in err


def test_what_is_dropped_is_gone_from_the_disk(place: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    first, second = (found.letter.log_id for found in kept(place))
    assert command("drop", first)[:2] == (0, "1 dropped\n")
    assert [found.letter.log_id for found in kept(place)] == [second]
    assert all(first.encode() not in path.read_bytes() for path in place.iterdir())
    assert command("drop", "--all", "--json")[:2] == (0, '{"dropped":2}\n')
    assert command("list")[1] == "0 dead letters\n"


def test_the_agent_goes_on_keeping_while_letters_are_dropped(
    place: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    running = letters(place)
    command("drop", "--reason", "refused_by_bus")
    new = Record(b"new", STREAM, b"z" * 12)
    keep(running, [new])
    assert [found.letter.original for found in kept(place)] == [b"new"]


@pytest.mark.usefixtures("place")
def test_nothing_is_dropped_or_sent_that_nobody_named(command: Callable[..., tuple[int, str, str]]) -> None:
    for verb in ("drop", "replay"):
        code, _, err = command(verb)
        assert code == 2
        assert f"say which to {verb}: a LOG_ID as `list` shows it, --stage, --reason, --source or --all" in err
    code, _, err = command("replay", "--all")
    assert code == 2
    assert "bus.kafka: is missing: name the agent's configuration with --config" in err
    assert len(command("list")[1].splitlines()) == 4


SECRET = "hunter2-hunter2"
HELD = {"pattern": "password=([a-z0-9-]+)", "group": 1, "name": "password"}


def reentry(tmp_path: Path, sources: list[dict[str, object]], **redaction: object) -> Reentry:
    """What may go on by a configuration with these sources."""
    path = tmp_path / "agent.yaml"
    path.write_text(json.dumps({"agent": {"redaction": redaction}, "sources": sources}))
    return Reentry(load(AgentConfig, path, tmp_path))


def held_back(tmp_path: Path) -> Kept:
    """A letter of an event with a secret, which redaction did not get to the end of."""
    place = tmp_path / LETTERS
    (record,) = records(1, f"password={SECRET}")
    refusal = Refusal(record.value, record.seq, "process", "redaction_overrun", "it took too long")
    asyncio.run(letters(place).keep_all(STREAM, [refusal]))
    return kept(place)[0]


def test_what_redaction_held_back_goes_on_redacted(tmp_path: Path) -> None:
    letter = held_back(tmp_path)
    shop: dict[str, object] = {"name": "shop", "type": "application", "paths": ["/dev/null"]}
    value = reentry(tmp_path, [{**shop, "process": {"redact": [HELD]}}]).value(letter)
    assert SECRET.encode() not in value
    assert json.loads(value)["log_id"] == letter.letter.log_id
    assert b"event 0 password=" in value
    assert SECRET.encode() not in reentry(tmp_path, [shop], rules=[HELD]).value(letter)


def test_what_cannot_be_redacted_now_stays_here(tmp_path: Path) -> None:
    letter = held_back(tmp_path)
    shop: dict[str, object] = {"name": "shop", "type": "application", "paths": ["/dev/null"]}
    with pytest.raises(StaysHere, match="no redaction rule is configured for source shop any more"):
        reentry(tmp_path, [shop]).value(letter)
    with pytest.raises(StaysHere, match="the configuration has no source shop"):
        reentry(tmp_path, [{**shop, "name": "mail"}], rules=[HELD]).value(letter)
    endless = {"name": "endless", "pattern": "([a-z0-9= -]+)+!"}
    with pytest.raises(StaysHere, match="held back again"):
        reentry(tmp_path, [shop], rules=[endless], budget="1ms").value(letter)
