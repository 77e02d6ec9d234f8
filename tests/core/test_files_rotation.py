"""Rotation and identity: whatever a file's name, inode or link becomes, each line is read once.

The complaints are those of users of other agents, numbered as in the project's study of them.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
from file_reader import Reader, append, numbers
from structlog.testing import capture_logs

from logintel.batch import Cursor

#: Names that rotation gives: numbered (logrotate), dated (dateext), dated before the suffix (log4j, logback).
NAMES = ["app.log.1", "app.log-20261125", "app-2026-11-25.log"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def reader(log: Path) -> Reader:
    return Reader((str(log),))


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["rename", "copytruncate"])
@pytest.mark.parametrize("away", [False, True])
def test_complaint_1_rotation_loses_no_line(
    tmp_path: Path, log: Path, pattern: str, name: str, how: str, *, away: bool
) -> None:
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 3))

    def rotate() -> None:
        append(log, *numbers(3, 6))
        if how == "rename":
            log.rename(tmp_path / name)
        else:
            shutil.copyfile(log, tmp_path / name)
            os.truncate(log, 0)
        append(log, *numbers(6, 8))

    if away:
        reader.once()
        rotate()
        reader.once()
    else:
        reader.follow(lambda: None, rotate, until=lambda: len(reader.taken) >= 8)
    assert sorted(reader.texts) == numbers(0, 8)
    assert len(reader.streams) == 2
    assert reader.once() == []


def test_complaint_1_many_fast_rotations_while_followed(tmp_path: Path, log: Path) -> None:
    reader = Reader((str(tmp_path / "app.log*"),))
    append(log, *numbers(0, 10))

    def rotate_thrice() -> None:
        for generation in range(1, 4):
            for n in range(generation - 1, 0, -1):
                (tmp_path / f"app.log.{n}").rename(tmp_path / f"app.log.{n + 1}")
            log.rename(tmp_path / "app.log.1")
            append(log, *numbers(10 * generation, 10 * generation + 10))

    reader.follow(lambda: None, rotate_thrice, until=lambda: len(reader.taken) >= 40)
    assert sorted(reader.texts) == sorted(numbers(0, 40))


def test_complaint_1_bytes_that_nobody_can_read_any_more_are_counted(log: Path, reader: Reader) -> None:
    """More than is read in a turn is there; after the first turn the file is truncated, and there is no copy."""
    append(log, *numbers(0, 100_000))
    size = log.stat().st_size
    with capture_logs() as logs:
        reader.interrupted(
            lambda batch: bool(batch.events), lambda: log.write_text("fresh\n"), until=lambda: "fresh" in reader.texts
        )
    (lost,) = [entry for entry in logs if entry["event"] == "file_truncated"]
    assert lost["log_level"] == "error"
    assert reader.unread_bytes == lost["unread_bytes"] == size - lost["read_up_to"]
    assert 0 < reader.unread_bytes < size
    assert "remedy" in lost


def test_complaint_1_a_file_that_was_deleted_unread_is_named(log: Path, reader: Reader) -> None:
    append(log, *numbers(0, 100))
    reader.once()
    append(log, "nobody saw this")
    log.unlink()
    with capture_logs() as logs:
        assert reader.once() == []
    (gone,) = [entry for entry in logs if entry["event"] == "file_gone"]
    assert gone["path"] == str(log)
    assert gone["unread_bytes"] is None
    assert not reader.cursors


def with_inode_of(cursor: Cursor, path: Path) -> Cursor:
    """The cursor as it is when the deleted file's inode was given to this one."""
    assert isinstance(cursor, dict)
    return {**cursor, "ino": path.stat().st_ino}


@pytest.mark.parametrize("lines", [2, 200])
def test_complaint_2_a_reused_inode_is_a_new_file(tmp_path: Path, log: Path, lines: int) -> None:
    """Also when the new file is shorter than what was read of the old one (an offset behind its end)."""
    reader = Reader((str(tmp_path / "*.log"),))
    append(log, *numbers(0, 100))
    reader.once()
    log.unlink()
    new = tmp_path / "new.log"
    append(new, *numbers(500, 500 + lines))
    reader.cursors = {stream: with_inode_of(cursor, new) for stream, cursor in reader.cursors.items()}
    assert reader.once() == numbers(500, 500 + lines)
    assert len(reader.streams) == 2


def test_complaint_2_a_reused_inode_does_not_hide_where_the_file_went(tmp_path: Path, log: Path) -> None:
    """Renamed, copied back to another inode, and the old inode given to a new log."""
    reader = Reader((str(tmp_path / "app.log*"),))
    append(log, *numbers(0, 100))
    reader.once()
    append(log, "the rest")
    shutil.copyfile(log, tmp_path / "app.log.1")
    log.unlink()
    append(log, "new")
    reader.cursors = {stream: with_inode_of(cursor, log) for stream, cursor in reader.cursors.items()}
    assert sorted(reader.once()) == ["new", "the rest"]


def test_complaint_3_another_way_to_name_the_same_files_reads_nothing_again(tmp_path: Path, log: Path) -> None:
    """Paths, globs and directories may be written otherwise, and files moved to where another glob finds them."""
    reader = Reader((str(log),))
    append(log, *numbers(0, 100))
    reader.once()
    reader.paths = (str(tmp_path / "*.log"),)
    assert reader.once() == []
    reader.paths = (str(tmp_path),)
    assert reader.once() == []
    (tmp_path / "archive").mkdir()
    append(log, "the rest")
    log.rename(tmp_path / "archive" / "2026.txt")
    reader.paths = (str(tmp_path / "**" / "*.txt"), str(log))
    assert reader.once() == ["the rest"]
    assert len(reader.streams) == 1


@pytest.mark.parametrize("size", [1, 2, 20, 1023, 1024, 1025])
def test_complaint_4_tiny_files_are_read_from_the_first_byte_and_told_apart(tmp_path: Path, size: int) -> None:
    reader = Reader((str(tmp_path / "*.log"),))
    for n in range(5):
        (tmp_path / f"{n}.log").write_text("x" * (size - 1) + "\n" if size > 1 else "x")
    expected = ["x" * max(1, size - 1)] * 5
    assert reader.once() == expected
    assert reader.once() == []
    for n in range(5):
        append(tmp_path / f"{n}.log", f"more of {n}")
    assert sorted(reader.once()) == sorted(f"more of {n}" for n in range(5))
    assert len(reader.streams) == 5


@pytest.mark.parametrize("away", [False, True])
def test_complaint_4_a_log_that_always_begins_alike_is_read_after_each_rotation(
    tmp_path: Path, log: Path, *, away: bool
) -> None:
    reader = Reader((str(log),))
    header = ["#Version: 1.0", "#Fields: date time cs-method " + "x" * 3000]
    append(log, *header, "one")

    def rotate() -> None:
        log.rename(tmp_path / "app.log.1")
        append(log, *header, "two")

    if away:
        reader.once()
        rotate()
        reader.once()
    else:
        reader.follow(lambda: None, rotate, until=lambda: len(reader.taken) >= 6)
    assert reader.texts == [*header, "one", *header, "two"]


def test_a_file_shortened_and_grown_between_two_looks_is_another_one(log: Path, reader: Reader) -> None:
    """As a network file system shows it: never seen shorter than what was read, and yet not the same bytes."""
    append(log, *numbers(0, 100))
    new = numbers(1000, 1200)
    reader.interrupted(
        lambda batch: bool(batch.events),
        lambda: log.write_text("".join(f"{text}\n" for text in new)),
        until=lambda: len(reader.taken) >= 300,
    )
    assert reader.texts == [*numbers(0, 100), *new]
    assert len(reader.streams) == 2


def test_a_file_cut_to_its_beginning_and_grown_is_read_from_its_beginning(log: Path, reader: Reader) -> None:
    """What stayed of it is read twice, under other ids: that is better than to miss what is new."""
    append(log, *numbers(0, 100))
    reader.once()
    os.truncate(log, len("line 0 of the log\n"))
    append(log, *numbers(500, 700))
    assert reader.once() == ["line 0 of the log", *numbers(500, 700)]


def kubernetes(tmp_path: Path, container: str) -> tuple[Path, Path]:
    """A container's log as the kubelet lays it out: (the link that is named, the file it leads to)."""
    target = tmp_path / "pods" / "shop_cart-7d9_1b2c" / "cart" / "0.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    link = tmp_path / "containers" / f"cart-7d9_shop_cart-{container}.log"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    return link, target


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("away", [False, True])
def test_container_logs_are_followed_through_links_and_rotation(tmp_path: Path, *, away: bool, packed: bool) -> None:
    """The kubelet renames the file that the link leads to, later compresses it, and makes a new one of the same name."""
    link, target = kubernetes(tmp_path, "aa11")
    reader = Reader((str(link.parent / "*.log"),))
    append(target, *numbers(0, 50))
    reader.once()
    old = target.with_name("0.log.20261125-101500")

    def rotate() -> None:
        append(target, *numbers(50, 60))
        target.rename(old)
        append(target, *numbers(60, 70))
        if packed:
            old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()

    if away:
        rotate()
        reader.once()
    else:
        reader.follow(rotate, until=lambda: len(reader.taken) >= 70)
    assert sorted(reader.texts) == sorted(numbers(0, 70))
    assert len(reader.streams) == 2


def test_a_link_that_leads_elsewhere_now_is_a_new_file_and_the_old_one_is_read_to_its_end(tmp_path: Path) -> None:
    link, target = kubernetes(tmp_path, "aa11")
    reader = Reader((str(link.parent / "*.log"),))
    append(target, *numbers(0, 50))
    reader.once()
    append(target, "the last words")
    restarted = target.with_name("1.log")
    append(restarted, "restarted")
    link.unlink()
    link.symlink_to(restarted)
    assert sorted(reader.once()) == ["restarted", "the last words"]
    assert reader.once() == []


def test_a_file_and_a_link_to_it_are_read_once(tmp_path: Path) -> None:
    link, target = kubernetes(tmp_path, "aa11")
    reader = Reader((str(tmp_path / "pods" / "**" / "*.log"), str(link.parent / "*.log")))
    append(target, "text")
    assert reader.once() == ["text"]
    append(target, "more")
    assert reader.once() == ["more"]
    link.unlink()
    assert reader.once() == []


def test_globs_find_what_is_made_at_run_time_but_for_what_is_excluded(tmp_path: Path) -> None:
    reader = Reader((str(tmp_path / "**" / "*.log"),), {"exclude": ("debug*", f"{tmp_path}/tmp/*")})
    append(tmp_path / "first.log", "first")

    def make() -> None:
        for name in ("second.log", "debug.log", "new/deep/third.log", "tmp/fourth.log", "new/fifth.txt"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            append(tmp_path / name, name)

    def more() -> None:
        append(tmp_path / "new/deep/third.log", "more")
        append(tmp_path / "debug.log", "more")

    reader.follow(lambda: None, make, more, until=lambda: "more" in reader.texts)
    assert sorted(reader.texts) == ["first", "more", "new/deep/third.log", "second.log"]


def test_a_file_that_is_excluded_later_is_left_where_it_is(log: Path, tmp_path: Path) -> None:
    reader = Reader((str(tmp_path / "*.log"),))
    append(log, "one")
    reader.once()
    append(log, "two")
    reader.settings["exclude"] = ("app*",)
    assert reader.once() == []
    reader.settings["exclude"] = ()
    assert reader.once() == ["two"]


def test_a_file_that_is_truncated_before_its_stream_goes_on_in_it(tmp_path: Path) -> None:
    """Its head is known, since it was announced, but nothing of it was acknowledged: it is read again from its start,
    and what stands there by then is another file's."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    append(first, *numbers(0, 3))
    append(second, *numbers(100, 200))
    reader = Reader((str(tmp_path / "*.log*"),))
    reader.interrupted(lambda _: False, lambda: None, until=lambda: len(reader.announced) >= 2)
    reader.taken.clear()  # nothing of it was acknowledged
    announced = dict(reader.announced)
    reader.cursors = dict(announced)

    def rotate() -> None:
        shutil.copyfile(second, tmp_path / "b.log.1")
        os.truncate(second, 0)
        append(second, *numbers(200, 310))

    reader.interrupted(lambda batch: bool(batch.events), rotate, until=lambda: len(reader.taken) >= 213)
    assert sorted(reader.texts) == sorted(numbers(0, 3) + numbers(100, 310))
    streams = {text: stream for stream, _, text in reader.taken}
    assert streams["line 100 of the log"] in announced
    assert streams["line 200 of the log"] not in announced
    places = [(stream, place) for stream, place, _ in reader.taken]
    assert len(set(places)) == len(places)


def test_a_file_that_is_renamed_between_a_listing_and_a_look_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path / "app.log", *numbers(0, 3))
    listed = [str(tmp_path / name) for name in ("app.log", "app.log.1")]
    monkeypatch.setattr("glob.iglob", lambda *_, **__: iter(listed))
    reader = Reader((str(tmp_path / "app*"),))
    assert reader.once() == numbers(0, 3)
    assert not reader.problems
