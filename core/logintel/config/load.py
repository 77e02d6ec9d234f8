"""Loading: a configuration file, and sources.d beside it, to a model; every problem of all files told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from logintel.config.check import check
from logintel.config.document import Document, dotted, read_yaml
from logintel.config.problem import Misconfigured, Problem
from logintel.config.reference import References, resolve
from logintel.config.section import Setting
from logintel.config.shared import SharedConfig
from logintel.paths import default_data_dir

SUFFIXES: Final = (".yaml", ".yml")
M = TypeVar("M", bound=SharedConfig)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A configuration as read: `files` in the order they were read, `references` for showing it without secrets."""

    config: M
    files: tuple[str, ...]
    references: References


def load(model: type[M], file: Path | str | None = None, data: Path | None = None) -> M:
    """The configuration in `file`; the defaults without one. Raises Misconfigured.

    `data` is the data directory that state paths are relative to (default: paths.default_data_dir()).
    """
    return load_all(model, file, data).config


def load_all(model: type[M], file: Path | str | None = None, data: Path | None = None) -> Loaded[M]:
    """`load`, with where it comes from. To `sources` are added those of sources.d/*.yaml (or .yml) beside `file`."""
    folder = Path(file).absolute().parent if file else Path.cwd()
    documents = _documents(Path(file), with_sources="sources" in model.model_fields) if file else []
    whole = _joined(documents)
    references = resolve(whole, folder)
    config, problems = check(model, whole, Setting((data or default_data_dir()).absolute(), folder))
    # What a document already has a problem with needs no second one from the model.
    told = {problem[:3] for problem in whole.problems}
    problems = [problem for problem in [*problems, *model.problems(whole)] if problem[:3] not in told]
    if config is None or whole.problems or problems:
        order = {document.file: place for place, document in enumerate(documents)}
        found = sorted([*whole.problems, *problems], key=lambda problem: (order.get(problem.file, 0), problem.line))
        raise Misconfigured([_without_secrets(problem, references) for problem in found])
    return Loaded(config, tuple(document.file for document in documents), references)


def _documents(file: Path, *, with_sources: bool) -> list[Document]:
    """The document of a file, and those of sources.d beside it."""
    main = read_yaml(file)
    if not main.value and not main.problems:
        main.problems.append(Problem(main.file, 0, "", "is empty: write at least `sources:` with one source"))
    return [main, *(_parts(file.parent / "sources.d") if with_sources else [])]


def _parts(directory: Path) -> list[Document]:
    """The documents in a directory, by name; hidden files and other suffixes are not configuration."""
    try:
        names = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and path.name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError as error:
        return [
            Document(str(directory), problems=[Problem(str(directory), 0, "", f"cannot be read: {error.strerror}")])
        ]
    return [read_yaml(name) for name in names]


def _joined(documents: list[Document]) -> Document:
    """The first document with the sources of the others behind its own; each value keeps its own place."""
    if not documents:
        return Document("")
    whole, *parts = documents
    sources = whole.value.setdefault("sources", []) if any("sources" in part.value for part in parts) else []
    for part in parts:
        whole.problems += part.problems
        for name in part.value.keys() - {"sources"}:
            whole.problems.append(part.problem((name,), "a file in sources.d holds the key `sources` alone"))
        more = part.value.get("sources", [])
        if not isinstance(more, list):
            whole.problems.append(part.problem(("sources",), "expected a list"))
        elif isinstance(sources, list):
            _take_places(whole, part, len(sources))
            sources.extend(more)
    return whole


def _take_places(whole: Document, part: Document, shift: int) -> None:
    for key, place in part.places.items():
        if key[0] == "sources" and len(key) > 1 and isinstance(key[1], int):
            whole.places["sources", key[1] + shift, *key[2:]] = place


def _without_secrets(problem: Problem, references: References) -> Problem:
    if any(dotted(key).startswith(problem.key) for key in references.written):
        return problem._replace(message=references.hide(problem.message))
    return problem
