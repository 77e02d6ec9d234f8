"""The wheel: what a user gets with `pip install` is exactly the packages of the tree, whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = {
    "logintel",
    "logintel_agent",
    "logintel_application",
    "logintel_collector",
    "logintel_custom",
    "logintel_devstack",
    "logintel_embedded",
    "logintel_sap",
    "logintel_splunk",
}
HOMES = (
    "core",
    "agent",
    "collector",
    "plugins/application",
    "plugins/custom",
    "plugins/sap",
    "plugins/splunk",
    "devstack",
    "embedded",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel that `python -m build` makes; out of a copy, since building leaves files behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for home in HOMES:
        shutil.copytree(ROOT / home, source / home, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.Path(next(out.glob("*.whl")))


@pytest.fixture(scope="module")
def info(wheel: zipfile.Path) -> zipfile.Path:
    """The wheel's .dist-info folder."""
    return next(path for path in wheel.iterdir() if path.name.endswith(".dist-info"))


def test_it_holds_exactly_the_files_of_the_packages(wheel: zipfile.Path) -> None:
    tree = {
        path.relative_to(ROOT / home).as_posix()
        for home in HOMES
        for name in NAMES
        for path in (ROOT / home / name).rglob("*")
        if path.suffix in (".py", ".sql", ".lock", ".java", ".properties", ".pem") or path.name == "py.typed"
    }
    assert {name for name in wheel.root.namelist() if ".dist-info/" not in name and name[-1] != "/"} == tree


def test_it_takes_only_names_of_its_own(wheel: zipfile.Path, info: zipfile.Path) -> None:
    assert {path.name for path in wheel.iterdir()} == NAMES | {info.name}


def test_every_package_is_typed(wheel: zipfile.Path) -> None:
    assert [name for name in NAMES if not (wheel / name / "py.typed").exists()] == []


def test_every_entry_point_leads_somewhere(info: zipfile.Path) -> None:
    points = PathDistribution(info).entry_points
    assert {point.group for point in points} == {
        "console_scripts",
        "logintel.plugins",
        "logintel.commands",
        "logintel.config",
    }
    for point in points:
        assert point.load()


def test_it_carries_the_licence(info: zipfile.Path) -> None:
    assert (info / "licenses" / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")
