"""The file input on real files: what is read, through rotation, restarts, cuts and encodings."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import aclosing
from pathlib import Path

import pytest
from file_reader import Reader, append, numbers

from logintel.batch import Cursor


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def reader(log: Path) -> Reader:
    return Reader((str(log),))


def test_reads_from_the_first_byte_and_goes_on_where_it_stopped(log: Path, reader: Reader) -> None:
    append(log, "a")
    assert reader.once() == ["a"]
    assert reader.once() == []
    append(log, "b", "c")
    assert reader.once() == ["b", "c"]
    assert len({stream for stream, _, _ in reader.taken}) == 1


def test_spans_are_byte_offsets_and_rise(log: Path, reader: Reader) -> None:
    log.write_bytes("ä\n\nbc\r\n".encode())
    reader.once()
    assert [(span, text) for _, span, text in reader.taken] == [((0, 3), "ä"), ((4, 8), "bc")]


def test_rename_loses_nothing_and_repeats_nothing(log: Path, reader: Reader) -> None:
    append(log, *numbers(0, 3))

    def rotate() -> None:
        append(log, "written just before the rename")
        log.rename(log.with_name("app.log.1"))
        append(log.with_name("app.log.1"), "written to the old file after the rename")
        append(log, *numbers(3, 5))

    reader.follow(rotate, until=lambda: len(reader.taken) >= 7)
    expected = {*numbers(0, 5), "written just before the rename", "written to the old file after the rename"}
    assert set(reader.texts) == expected
    assert len(reader.texts) == 7


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_copytruncate_loses_nothing_and_repeats_nothing(tmp_path: Path, log: Path, pattern: str) -> None:
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 3))

    def rotate() -> None:
        append(log, "written just before the copy")
        shutil.copyfile(log, tmp_path / "app.log.1")
        os.truncate(log, 0)

    reader.follow(rotate, lambda: append(log, *numbers(3, 5)), until=lambda: len(reader.taken) >= 6)
    assert reader.texts == [*numbers(0, 3), "written just before the copy", *numbers(3, 5)]
    assert len({stream for stream, _, _ in reader.taken}) == 2


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_rotation_while_away(tmp_path: Path, log: Path, pattern: str, how: str) -> None:
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 3))
    reader.once()
    append(log, *numbers(3, 6))
    old = tmp_path / "app.log.1"
    if how == "rename":
        log.rename(old)
    else:
        shutil.copyfile(log, old)
        os.truncate(log, 0)
    append(log, *numbers(6, 8))
    reader.once()
    assert sorted(reader.texts) == numbers(0, 8)


def test_truncation_without_a_copy_starts_a_new_stream(log: Path, reader: Reader) -> None:
    append(log, *numbers(0, 100))
    reader.once()
    log.write_text("fresh\n")
    assert reader.once() == ["fresh"]
    assert reader.taken[-1][0] != reader.taken[0][0]


def test_rewritten_in_place_with_more_than_before_is_read_from_the_start(log: Path, reader: Reader) -> None:
    append(log, "old one")
    reader.once()
    log.write_text("new one\nnew two\n")
    assert reader.once() == ["new one", "new two"]


def test_a_file_that_was_replaced_while_its_events_were_on_the_way_is_another_stream(log: Path, reader: Reader) -> None:
    """Killed after the first events left and before a cursor behind them was saved; then the log was written anew. What
    it holds now must not get the old stream's positions: the collector would take it for a repeat."""
    append(log, *numbers(0, 5))
    announced: dict[str, Cursor] = {}

    async def crash_after_the_first_events() -> None:
        async with aclosing(reader.input(once=True).batches({})) as batches:
            async for batch in batches:
                if batch.events:
                    return
                announced[batch.stream] = batch.cursor

    asyncio.run(crash_after_the_first_events())
    reader.cursors = dict(announced)
    log.write_text("".join(f"{text}\n" for text in numbers(5, 11)))
    assert reader.once() == numbers(5, 11)
    assert not announced.keys() & {stream for stream, _, _ in reader.taken}


def test_recreated_with_the_same_first_line_is_read_again(log: Path, reader: Reader) -> None:
    append(log, "server starting")
    reader.once()
    append(log.with_name("new"), "server starting", "ready")
    log.with_name("new").replace(log)
    assert reader.once() == ["server starting", "ready"]


def test_identical_heads_are_two_files(tmp_path: Path) -> None:
    reader = Reader((str(tmp_path / "*.log"),))
    head = "x" * 5000
    append(tmp_path / "a.log", head, "a")
    append(tmp_path / "b.log", head, "b")
    assert sorted(reader.once()) == ["a", "b", head, head]
    append(tmp_path / "a.log", "more of a")
    append(tmp_path / "b.log", "more of b")
    assert sorted(reader.once()) == ["more of a", "more of b"]


def test_a_deleted_file_is_read_to_its_end_and_forgotten(log: Path, reader: Reader) -> None:
    append(log, *numbers(0, 3))

    def delete() -> None:
        append(log, "the last words")
        log.unlink()

    reader.follow(delete, until=lambda: not reader.cursors)
    assert reader.texts == [*numbers(0, 3), "the last words"]


def test_rewritten_while_nothing_of_it_was_handed_over_yet(log: Path, reader: Reader) -> None:
    """The open record waits for more lines; what comes instead is another file's beginning."""
    reader.settings["format"] = "auto"
    append(log, "first of the old")
    new = [f"{n} of the new" for n in range(50)]

    def rewrite() -> None:
        log.write_text("".join(f"{text}\n" for text in new))

    async def run() -> None:
        async with aclosing(reader.input(once=False).batches({})) as batches:
            async with asyncio.timeout(60):
                async for batch in batches:
                    reader.take(batch)
                    if not batch.events and not reader.taken and log.read_text() != "".join(f"{t}\n" for t in new):
                        rewrite()  # announced, read, and not handed over
                    if len(reader.taken) == 51:
                        return

    asyncio.run(run())
    streams = [stream for stream, _, _ in reader.taken]
    assert reader.texts == ["first of the old", *new]
    assert len(set(streams[1:])) == 1
    assert streams[0] != streams[1]


def test_a_partial_last_line_waits_while_following(log: Path, reader: Reader) -> None:
    append(log, "whole", "par", end="")
    reader.follow(lambda: None, lambda: append(log, "tial"), until=lambda: len(reader.taken) >= 2)
    assert reader.texts == ["whole", "partial"]


def test_a_partial_last_line_is_an_event_at_the_end_of_a_run(log: Path, reader: Reader) -> None:
    append(log, "whole", "par", end="")
    assert reader.once() == ["whole", "par"]
    append(log, "tial", "next")
    assert reader.once() == ["tial", "next"]


TRACE = ["2026-11-22 10:00:00,123 ERROR [main] shop.Cart - no stock", "java.lang.IllegalStateException: no stock"]
TRACE += ["\tat shop.Cart.add(Cart.java:17)", "\tat shop.Main.main(Main.java:3)"]


def test_a_stack_trace_is_one_event_however_it_arrives(log: Path, reader: Reader) -> None:
    reader.settings["format"] = "auto"
    steps = [lambda line=line: append(log, line) for line in TRACE]
    reader.follow(*steps, until=lambda: len(reader.taken) >= 1)
    assert reader.texts[0].startswith(TRACE[0])
    append(log, "2026-11-22 10:00:01,000 INFO [main] shop.Cart - go on")
    reader.once()
    assert "\n".join(reader.texts) == "\n".join([*TRACE, "2026-11-22 10:00:01,000 INFO [main] shop.Cart - go on"])


def test_records_begin_where_the_configuration_says(log: Path, reader: Reader) -> None:
    reader.settings["record_start"] = r"\[\d+\]"
    append(log, "[1] one", "goes on", "", "and on", "[2] two")
    assert reader.once() == ["[1] one\ngoes on\n\nand on", "[2] two"]


def test_a_cut_is_repeated_by_a_replay(log: Path, reader: Reader) -> None:
    """A time-out ended the record; lines of it that come later must not change what the replay sends."""
    reader.settings["format"] = "auto"
    append(log, *TRACE[:3])
    saved: dict[str, Cursor] = {}

    async def crash_after_the_cut_was_sent() -> None:
        async with aclosing(reader.input(once=False).batches({})) as batches:
            async for batch in batches:
                if batch.events:
                    reader.take(batch)
                    return  # killed: the cursor behind the events was not saved, the one before them was
                saved[batch.stream] = batch.cursor

    asyncio.run(crash_after_the_cut_was_sent())
    reader.cursors = saved
    append(log, TRACE[3])
    reader.once()
    first, again, rest = reader.taken
    assert first == again
    assert rest[2] == TRACE[3]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16-le", None),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", None),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings(log: Path, reader: Reader, encoding: str, told: str | None) -> None:
    reader.settings["encoding"] = told
    log.write_bytes("première ligne\r\nça va\r\nhalf".encode(encoding))
    assert reader.once() == ["première ligne", "ça va", "half"]
    ends = [span[1] for _, span, _ in reader.taken]
    assert ends[-1] == log.stat().st_size
    bare = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    log.write_bytes(log.read_bytes() + "\r\nnäxt\r\n".encode(bare))
    assert reader.once() == ["näxt"]


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "iso2022_jp"])
def test_double_byte_encodings(log: Path, reader: Reader, encoding: str) -> None:
    reader.settings["encoding"] = encoding
    log.write_bytes("漢字ソ\n表示\n".encode(encoding))
    assert reader.once() == ["漢字ソ", "表示"]


def test_damaged_utf8_is_kept_visible(log: Path, reader: Reader) -> None:
    log.write_bytes(b"good\nb\xffd\n")
    assert reader.once() == ["good", "b\\xffd"]


def test_a_hole_of_nul_bytes_is_no_text(log: Path, reader: Reader) -> None:
    log.write_bytes(b"\0" * 300_000 + b"after the hole\n")
    assert reader.once() == ["after the hole"]


def test_a_line_over_the_limit_is_cut_and_the_file_goes_on(log: Path, reader: Reader) -> None:
    long = "ä" * 400_000
    append(log, "before", long, "after")
    texts = reader.once()
    assert texts[0] == "before"
    assert texts[-1] == "after"
    assert "".join(texts[1:-1]) == long
    assert all(len(text.encode()) <= 128 * 1024 for text in texts)


def test_a_binary_file_is_skipped_and_named(tmp_path: Path) -> None:
    (tmp_path / "core.log").write_bytes(b"\x7fELF\0\0\1")
    append(tmp_path / "good.log", "text")
    reader = Reader((str(tmp_path),))
    assert reader.once() == ["text"]
    assert "core.log: skipped" in reader.notices[0]
    assert not reader.problems


def test_a_missing_file_is_reported_and_the_others_are_read(tmp_path: Path, log: Path) -> None:
    append(log, "text")
    reader = Reader((str(tmp_path / "absent.log"), str(log)))
    assert reader.once() == ["text"]
    assert reader.problems == [f"{tmp_path / 'absent.log'}: No such file or directory"]


def test_a_file_found_by_two_names_is_read_once(tmp_path: Path, log: Path) -> None:
    append(log, "text")
    (tmp_path / "link.log").symlink_to(log)
    reader = Reader((str(tmp_path / "*.log"), str(log)))
    assert reader.once() == ["text"]


def test_exclude(tmp_path: Path, log: Path) -> None:
    append(log, "text")
    append(tmp_path / "debug.log", "noise")
    reader = Reader((str(tmp_path / "*.log"),), {"exclude": ("debug*",)})
    assert reader.once() == ["text"]


def test_more_files_than_are_held_open(tmp_path: Path) -> None:
    for n in range(600):
        append(tmp_path / f"{n}.log", f"text of {n}")
    reader = Reader((str(tmp_path / "*.log"),))
    assert sorted(reader.once()) == sorted(f"text of {n}" for n in range(600))
    for n in range(600):
        append(tmp_path / f"{n}.log", f"more of {n}")
    assert sorted(reader.once()) == sorted(f"more of {n}" for n in range(600))
