"""The layers: each home imports of ours only what CONTRIBUTING.md allows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<home>[\w/]+)/ \| (?P<name>logintel\w*) \| (?P<allowed>[^|]*) \|$", re.MULTILINE)


def homes() -> dict[str, tuple[Path, set[str]]]:
    """Import name → where its package is, and what of ours it may import; from the table in CONTRIBUTING.md."""
    rows = list(ROW.finditer((ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    names = {row["name"] for row in rows}
    return {
        row["name"]: (ROOT / row["home"] / row["name"], allowed(row["allowed"], names) | {row["name"]}) for row in rows
    }


def allowed(cell: str, names: set[str]) -> set[str]:
    if cell.startswith("all"):
        return names
    return set(re.findall(r"logintel\w*", cell))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import statement in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def test_the_table_names_every_home_that_has_a_package() -> None:
    packages = {found.parent for found in ROOT.glob("*/logintel*/__init__.py")}
    packages |= {found.parent for found in ROOT.glob("plugins/*/logintel*/__init__.py")}
    assert {place for place, _ in homes().values()} == packages


@pytest.mark.parametrize("name", sorted(homes()))
def test_a_home_imports_only_what_its_layer_may(name: str) -> None:
    place, may = homes()[name]
    files = sorted(place.rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in files
        for line, module in imported(path)
        if module.startswith(".")
        or (module.partition(".")[0].startswith("logintel") and module.partition(".")[0] not in may)
    ]
    assert wrong == []
