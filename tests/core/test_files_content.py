"""What lies in files: encodings, line ends, runs of NUL, holes, and lines without end; memory stays bounded."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
from file_reader import Reader, append

from logintel.inputs.files.records import MAX_LINE
from logintel.source import InputExhausted

MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def reader(log: Path) -> Reader:
    return Reader((str(log),))


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Fails when what is allocated inside exceeds `limit` bytes at any time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe", b"\xfe\xff"], ids=["no mark", "little endian", "big endian"])
@pytest.mark.parametrize("told", [None, "utf-16-le", "utf-16-be"])
def test_utf16(log: Path, reader: Reader, mark: bytes, told: str | None) -> None:
    """A mark overrules what was told; without either the bytes show it, where most are of the Latin alphabet."""
    name = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(mark) or told or "utf-16-le"
    reader.settings["encoding"] = told
    lines = [f"{n}: Größe Ω 漢" * 20 if mark or told else f"line {n}" for n in range(2_000)]
    log.write_bytes(mark + "".join(f"{line}\r\n" for line in lines).encode(name))
    assert reader.once() == lines
    assert reader.taken[-1][1][1] == log.stat().st_size


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "première"),
        ("shift_jis", "表示ソ"),
        ("gbk", "日志"),
        ("gb18030", "日志€"),
        ("euc_kr", "로그"),
        ("big5", "日誌"),
    ],
)
def test_legacy_encodings_over_many_blocks(log: Path, reader: Reader, encoding: str, text: str) -> None:
    """Some bytes of these are those of ASCII characters: a block that ends between the two must not matter."""
    reader.settings["encoding"] = encoding
    lines = [f"{n} {text * 40}" for n in range(6_000)]
    log.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    assert log.stat().st_size > 2 * 256 * 1024
    assert reader.once() == lines


@pytest.mark.parametrize(
    ("encoding", "line", "seen"),
    [
        ("utf-8", b"a\xff\xfeb", "a\\xff\\xfeb"),
        ("utf-8", b"cut \xe6\xbc", "cut \\xe6\\xbc"),
        ("gbk", b"bad \xff!", "bad \\xff!"),
        ("shift_jis", b"bad \x81", "bad \\x81"),
    ],
)
def test_damaged_bytes_stay_visible_and_harm_no_other_line(
    log: Path, reader: Reader, encoding: str, line: bytes, seen: str
) -> None:
    reader.settings["encoding"] = encoding
    good = "é 漢".encode(encoding, "replace")
    log.write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    texts = reader.once()
    assert texts[1] == seen
    assert texts[0] == texts[2] == good.decode(encoding)


def test_line_ends_of_windows_go_and_others_stay(log: Path, reader: Reader) -> None:
    log.write_bytes(b"one\r\ntwo\rstill two\r\n\r\nthree\n\r\n")
    assert reader.once() == ["one", "two\rstill two", "three"]


def test_a_line_end_of_windows_that_comes_in_two_writes(log: Path, reader: Reader) -> None:
    def write(data: bytes) -> None:
        with log.open("ab") as out:
            out.write(data)

    write(b"one\r")
    reader.follow(lambda: None, lambda: write(b"\ntwo\r\n"), until=lambda: len(reader.taken) == 2)
    assert reader.texts == ["one", "two"]


@pytest.mark.parametrize("size", [1, 100, 5000, MAX_LINE - 3, MAX_LINE, 300_000, 2_000_000])
def test_runs_of_nul_are_no_text(log: Path, reader: Reader, size: int) -> None:
    """As a crash, or truncation under a writer that does not append, leaves them: alone, before a line, or in its end."""
    hole = b"\0" * size
    log.write_bytes(b"before\n" + hole + b"behind\n" + hole + b"\n" + b"last\n" + hole)
    assert reader.once() == ["before", "behind", "last"]
    append(log, "more")
    assert reader.once() == ["more"]


def test_a_hole_of_many_gigabytes_costs_nothing(log: Path, reader: Reader) -> None:
    append(log, "before")
    with log.open("r+b") as out:
        out.seek(200 * GIB)
        out.write(b"behind\n")
        out.truncate(300 * GIB)
        out.seek(300 * GIB)
        out.write(b"last\n")
    assert log.stat().st_blocks * 512 < MIB
    with memory_below(16 * MIB):
        assert reader.once() == ["before", "behind", "last"]
    assert [span[1] for _, span, _ in reader.taken][1:] == [200 * GIB + 7, 300 * GIB + 5]


def test_what_stands_behind_a_hole_has_the_same_place_when_the_hole_was_written_out(tmp_path: Path) -> None:
    """A copy of a sparse file may have no holes: the events' ids must not depend on that."""
    sparse, full = tmp_path / "sparse.log", tmp_path / "full.log"
    with sparse.open("wb") as out:
        out.write(b"before\nan open li")
        out.seek(5 * MIB + 4321)
        out.write(b"behind\nmore\n")
        out.truncate(9 * MIB)
    full.write_bytes(sparse.read_bytes())
    found = []
    for path in (sparse, full):
        reader = Reader((str(path),))
        reader.once()
        found.append([(span, text) for _, span, text in reader.taken])
    assert full.stat().st_blocks > sparse.stat().st_blocks
    assert found[0] == found[1]
    assert [text for _, text in found[0]] == ["before", "an open li", "behind", "more"]


@pytest.mark.parametrize(("encoding", "size"), [("utf-8", 64 * MIB), ("utf-16-le", 4 * MIB)])
def test_complaint_16_a_line_of_64_mib_is_cut_and_takes_no_memory(
    log: Path, reader: Reader, encoding: str, size: int
) -> None:
    piece = "0123456789abcdéf" * 4096
    reader.settings["encoding"] = encoding
    with log.open("wb") as out:
        out.write("before\n".encode(encoding))
        written = 0
        while written < size:
            written += out.write(piece.encode(encoding))
        out.write("\nafter\n".encode(encoding))
    ends: list[int] = []
    read, first, last = 0, "", ""

    async def run() -> None:
        nonlocal read, first, last
        async with aclosing(reader.input(once=True).batches({})) as batches:
            try:
                async for batch in batches:
                    for event in batch.events:
                        first, last = first or event.raw, event.raw
                        read += len(event.raw.encode(encoding))
                    ends.extend(span[1] for span in batch.spans or ())
            except InputExhausted:
                pass

    with memory_below(16 * MIB):
        asyncio.run(run())
    assert (first, last) == ("before", "after")
    assert read == written + len("beforeafter".encode(encoding))
    assert len(ends) >= size // MAX_LINE
    assert ends == sorted(set(ends))


def test_a_partial_last_line_waits_through_a_restart(log: Path, reader: Reader) -> None:
    append(log, "whole", "par", end="")
    reader.follow(until=lambda: len(reader.taken) == 1)
    append(log, "tial")
    reader.follow(until=lambda: len(reader.taken) == 2)
    assert reader.texts == ["whole", "partial"]


def test_a_partial_last_line_of_a_rotated_file_is_read_when_that_is_deleted(log: Path, reader: Reader) -> None:
    append(log, "whole", "partial", end="")

    def rotate() -> None:
        os.rename(log, log.with_name("app.log.1"))
        append(log, "new")

    reader.follow(
        lambda: None, rotate, log.with_name("app.log.1").unlink, until=lambda: {"partial", "new"} <= set(reader.texts)
    )
    assert sorted(reader.texts) == ["new", "partial", "whole"]
