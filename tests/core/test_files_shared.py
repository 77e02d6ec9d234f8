"""Several workers over the same directories: each file is read by one of them, whatever it is called or becomes."""

from __future__ import annotations

import gzip
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from file_reader import Reader

from logintel.inputs.files import FileInput
from logintel.share import Saved, Share


@dataclass
class Seat(Reader):
    """A reader of its share."""

    share: Share | None = None

    def input(self, *, once: bool) -> FileInput:
        made = super().input(once=once)
        return FileInput(made.config, replace(made.context, share=self.share), made.pace)


@dataclass
class Workers:
    """Seats over one directory; `run` starts `count` workers, and serves the surplus seats too."""

    folder: Path
    seats: dict[int, Seat] = field(default_factory=dict)

    def run(self, count: int) -> Counter[str]:
        """One run that ends; what each text was read how often."""
        saved = [Saved(seat, name, cursor) for seat, one in self.seats.items() for name, cursor in one.cursors.items()]
        found = Counter[str]()
        for seat in sorted({*self.seats, *range(count)}):
            reader = self.seats.setdefault(seat, Seat((f"{self.folder}/*",)))
            reader.share = Share(seat, count, {"t": saved})
            found.update(reader.once())
            assert reader.problems == []
        return found


def lines(name: str, numbers: Sequence[int]) -> Iterator[str]:
    return (f"{name} {n}" for n in numbers)


def append(path: Path, texts: Iterator[str]) -> None:
    with path.open("a") as out:
        out.writelines(f"{text}\n" for text in texts)


def rename(path: Path, number: int) -> None:
    path.rename(path.with_name(f"moved-{number}"))


def copy_and_truncate(path: Path, number: int) -> None:
    shutil.copyfile(path, path.with_name(f"{path.name}.{number}"))
    with path.open("w"):
        pass


def compress(path: Path, number: int) -> None:
    packed = path.with_name(f"{path.name}.{number}.gz")
    with gzip.open(packed, "wb") as out:
        out.write(path.read_bytes())
    path.unlink()


@pytest.mark.parametrize("seed", range(8))
def test_each_line_is_read_once_whatever_becomes_of_its_file(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    workers, expected, found = Workers(tmp_path), Counter[str](), Counter[str]()
    for turn in range(8):
        for name in "abcde":
            texts = list(lines(f"{name}-{turn}", range(60)))
            append(tmp_path / f"{name}.log", iter(texts))
            expected.update(texts)
        found.update(workers.run(dice.choice([1, 2, 3])))
        for path in sorted(tmp_path.glob("*.log")):
            what = dice.choice([rename, copy_and_truncate, compress, None])
            if what:
                what(path, turn)
    found.update(workers.run(2))
    assert found == expected


def test_files_are_spread_and_stay(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    for number in range(30):
        append(tmp_path / f"{number}.log", lines(str(number), range(3)))
    assert sum(workers.run(3).values()) == 90
    owned = {seat: set(reader.streams) for seat, reader in workers.seats.items()}
    assert all(len(streams) > 3 for streams in owned.values())
    for count in (1, 4, 2):
        for number in range(30):
            append(tmp_path / f"{number}.log", lines(f"{number} with {count}", range(3)))
        assert sum(workers.run(count).values()) == 90
    assert {seat: set(reader.streams) for seat, reader in workers.seats.items() if seat < 3} == owned


def test_files_that_begin_alike_are_told_apart_by_what_was_read(tmp_path: Path) -> None:
    header = "#Fields: date time s-ip cs-method cs-uri-stem " + "x" * 1200
    workers = Workers(tmp_path)
    append(tmp_path / "a.log", iter([header, "a 1"]))
    assert workers.run(1) == {header: 1, "a 1": 1}
    append(tmp_path / "b.log", iter([header, "b 1"]))
    assert workers.run(3) == {header: 1, "b 1": 1}
    rename(tmp_path / "a.log", 1)
    copy_and_truncate(tmp_path / "b.log", 1)
    append(tmp_path / "moved-1", iter(["a 2"]))
    append(tmp_path / "b.log.1", iter(["b 2"]))
    assert workers.run(2) == {"a 2": 1, "b 2": 1}


def test_a_file_is_left_alone_until_its_first_line_is_whole(tmp_path: Path) -> None:
    reader = Seat((f"{tmp_path}/*",), share=Share(0, 1))
    (tmp_path / "a.log").write_text("half")
    (tmp_path / "b.log").write_text("whole\n")
    reader.follow(lambda: append(tmp_path / "a.log", iter([" and the rest"])), until=lambda: len(reader.texts) == 2)
    assert sorted(reader.texts) == ["half and the rest", "whole"]
