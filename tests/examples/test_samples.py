"""The sample logs: all of them have an origin under a licence that lets us ship them."""

from __future__ import annotations

import re
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "examples/samples"
LICENCES = {"Apache-2.0", "BSD-2-Clause", "MIT"}
ROW = re.compile(
    r"^\| (?P<file>[^|]+) \| (?P<repository>[\w.-]+/[\w.-]+)(?: \(fork: [^)]*\))? \| (?P<path>[^|]+) "
    r"\| (?P<commit>[0-9a-f]{12}) \| (?P<licence>[^|]+) \|$",
    re.MULTILINE,
)


def origins() -> list[re.Match[str]]:
    return list(ROW.finditer((SAMPLES / "ORIGINS.md").read_text("utf-8")))


def logs() -> list[Path]:
    return [path for path in SAMPLES.rglob("*") if path.is_file() and path.suffix in (".log", ".json")]


def test_every_file_has_an_origin() -> None:
    assert {row["file"] for row in origins()} == {path.relative_to(SAMPLES).as_posix() for path in logs()}


def test_every_licence_lets_us_ship_it_and_is_there() -> None:
    assert {row["licence"] for row in origins()} == LICENCES == {path.stem for path in (SAMPLES / "licences").iterdir()}


def test_origins_outside_apache_are_named_with_their_copyright() -> None:
    text = (SAMPLES / "ORIGINS.md").read_text("utf-8").partition("## Licences")[2]
    assert not [row["repository"] for row in origins() if f"- {row['repository']}: {row['licence']}" not in text]
    assert not [row["repository"] for row in origins() if "x-pack" in row["path"] or "loghub" in row["repository"]]


def test_the_samples_stay_small() -> None:
    assert len(logs()) >= 10
    assert sum(path.stat().st_size for path in logs()) < 600_000
