"""Compressed files: the rest of a rotated log is read from its .gz, which is never taken for a new file."""

from __future__ import annotations

import gzip
import shutil
import threading
import time
from itertools import cycle, islice, pairwise
from pathlib import Path

import pytest
from file_reader import Reader, append, numbers

#: Names that rotation gives: numbered (logrotate), dated (dateext), dated before the suffix (log4j, logback).
NAMES = ["app.log.1.gz", "app.log-20261125.gz", "app-2026-11-25.log.gz"]


def compress(path: Path, to: Path) -> None:
    """As gzip(1) does: the compressed file has the time of the other, which is removed."""
    with path.open("rb") as source, gzip.open(to, "wb") as target:
        shutil.copyfileobj(source, target)
    shutil.copystat(path, to)
    path.unlink()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lines", [3, 2000])
def test_complaint_1_and_5_the_rest_is_read_from_the_compressed_file(
    tmp_path: Path, log: Path, pattern: str, name: str, lines: int
) -> None:
    """Rotated and compressed while nothing read: what was not read yet is, once; what was read is not again."""
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, lines))
    reader.once()
    append(log, *numbers(lines, lines + 5))
    compress(log, tmp_path / name)
    append(log, *numbers(lines + 5, lines + 7))
    reader.once()
    reader.once()
    assert sorted(reader.texts) == sorted(numbers(0, lines + 7))
    assert len(reader.streams) == 2
    assert not reader.unread_bytes


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
def test_complaint_5_compressed_while_followed(tmp_path: Path, log: Path, pattern: str) -> None:
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 500))
    old = tmp_path / "app.log.1"

    def rotate() -> None:
        append(log, "the last line before")
        log.rename(old)
        append(log, "the first line after")

    reader.follow(
        lambda: None,
        rotate,
        lambda: compress(old, tmp_path / "app.log.1.gz"),
        lambda: append(log, "some time later"),
        until=lambda: len(reader.taken) >= 503,
    )
    expected = [*numbers(0, 500), "the last line before", "the first line after", "some time later"]
    assert sorted(reader.texts) == sorted(expected)
    (tmp_path / "app.log.1.gz").rename(tmp_path / "app.log.2.gz")
    assert reader.once() == []
    assert len(reader.streams) == 2


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
def test_complaint_1_and_5_copied_truncated_and_compressed_between_two_looks(
    tmp_path: Path, log: Path, pattern: str
) -> None:
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 500))

    def rotate() -> None:
        append(log, *numbers(500, 510))
        (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.write_text("after\n")

    reader.interrupted(lambda batch: bool(batch.events), rotate, until=lambda: len(reader.taken) >= 511)
    assert sorted(reader.texts) == sorted([*numbers(0, 510), "after"])
    assert reader.once() == []


def test_complaint_5_a_compressed_file_beside_its_original_is_a_copy(tmp_path: Path, log: Path) -> None:
    reader = Reader((str(tmp_path / "app*"),))
    append(log, *numbers(0, 500))
    reader.once()
    with gzip.open(tmp_path / "app.log.gz", "wt") as copy:
        copy.write(log.read_text())
    assert reader.once() == []
    log.unlink()
    assert reader.once() == []
    assert reader.once() == []


def test_compressed_files_are_read_like_others(tmp_path: Path) -> None:
    reader = Reader((str(tmp_path / "*.gz"),))
    for n in range(3):
        with gzip.open(tmp_path / f"app.log.{n}.gz", "wb") as out:
            out.write("".join(f"{n}: ligne {line} é\r\n" for line in range(4_000)).encode("utf-16"))
    expected = [f"{n}: ligne {line} é" for n in range(3) for line in range(4_000)]
    assert sorted(reader.once()) == sorted(expected)
    ends = {stream: span[1] for stream, span, _ in reader.taken}
    assert set(ends.values()) == {2 + len("".join(f"0: ligne {line} é\r\n" for line in range(4_000))) * 2}
    assert reader.once() == []
    assert not reader.problems


def test_members_one_after_another_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n") + b"\0" * 512)
    reader = Reader((str(path),))
    assert reader.once() == ["one", "two"]
    assert not reader.problems


def test_compressed_files_that_begin_alike_are_several(tmp_path: Path) -> None:
    reader = Reader((str(tmp_path / "*.gz"),))
    head = "#Fields: " + "x" * 4000
    for n in range(4):
        (tmp_path / f"app.log.{n}.gz").write_bytes(gzip.compress(f"{head}\nline of {n}\n".encode()))
    assert sorted(reader.once()) == sorted([*[head] * 4, *(f"line of {n}" for n in range(4))])
    for n in reversed(range(4)):
        (tmp_path / f"app.log.{n}.gz").rename(tmp_path / f"app.log.{n + 1}.gz")
    (tmp_path / "app.log.0.gz").write_bytes(gzip.compress(f"{head}\nnewest\n".encode()))
    assert reader.once() == [head, "newest"]


@pytest.mark.parametrize("known", [False, True])
def test_a_half_written_compressed_file_is_waited_for(tmp_path: Path, log: Path, *, known: bool) -> None:
    reader = Reader((str(tmp_path / "app*"),))
    append(log, *numbers(0, 3000))
    if known:
        reader.once()
    append(log, *numbers(3000, 3010))
    whole = gzip.compress(log.read_bytes())
    log.unlink()
    packed = tmp_path / "app.log.1.gz"

    def write(start: int, end: int) -> None:
        with packed.open("ab") as out:
            out.write(whole[start:end])

    middle = len(whole) // 2
    write(0, middle)
    reader.follow(
        lambda: None,
        lambda: write(middle, middle + 100),
        lambda: write(middle + 100, len(whole)),
        until=lambda: len(reader.taken) >= 3010,
    )
    assert reader.texts == numbers(0, 3010)
    assert len(reader.streams) == 1
    assert not reader.problems


def test_a_damaged_compressed_file_gives_what_can_be_inflated(tmp_path: Path) -> None:
    lines = [f"{n * 7919 % 100_003} random enough" for n in range(50_000)]
    data = bytearray(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    middle = len(data) // 2
    data[middle : middle + 64] = b"\xff" * 64
    (tmp_path / "a.log.gz").write_bytes(data)
    append(tmp_path / "b.log", "good")
    reader = Reader((str(tmp_path / "*"),))
    texts = reader.once()
    assert texts.count("good") == 1
    texts.remove("good")
    assert len(texts) > 20_000
    assert texts[:-200] == lines[: len(texts) - 200]
    assert len(reader.problems) == 1
    assert "a.log.gz: damaged gzip behind inflated byte" in reader.problems[0]
    assert reader.once() == []


def test_an_archive_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress(b"app.log\0\0\0\0" + b"x" * 500))
    reader = Reader((str(tmp_path / "*"),))
    assert reader.once() == []
    assert "old.tar.gz: skipped" in reader.notices[0]


def test_a_cut_at_the_end_of_a_compressed_file_is_repeated_by_a_replay(tmp_path: Path, log: Path) -> None:
    """The last line has no end. That it ends there is saved before it is sent, and the replay sends the same."""
    (tmp_path / "app.log.gz").write_bytes(gzip.compress(b"whole\npartial"))
    reader = Reader((str(tmp_path / "app.log.gz"),))
    reader.once()
    first = list(reader.taken)
    ((stream, cut),) = [
        (name, cursor) for name, cursor in reader.announced if isinstance(cursor, dict) and cursor["cut"]
    ]
    reader.cursors = {stream: cut}
    reader.once()
    assert reader.texts == ["whole", "partial"] * 2
    assert reader.taken[2:] == first


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
def test_complaint_5_renamed_at_the_very_moment_of_a_look(tmp_path: Path, log: Path, pattern: str) -> None:
    """Rotation renames all older files each time: one that a look misses for that is neither gone nor new."""
    reader = Reader((str(tmp_path / pattern),))
    append(log, *numbers(0, 50))
    reader.once()
    append(log, *numbers(50, 60))
    compress(log, tmp_path / "app.log.1.gz")
    append(log, "after")

    def rename() -> None:
        names = [tmp_path / f"app.log.{number}.gz" for number in range(1, 9)]
        for old, new in islice(cycle(pairwise([*names, names[0]])), 400):
            old.rename(new)
            time.sleep(0.005)

    renaming = threading.Thread(target=rename)
    renaming.start()
    try:
        reader.follow(until=lambda: not renaming.is_alive() and len(reader.taken) >= 61)
    finally:
        renaming.join()
    reader.once()
    assert sorted(reader.texts) == sorted([*numbers(0, 60), "after"])
    assert len(reader.streams) == 2
