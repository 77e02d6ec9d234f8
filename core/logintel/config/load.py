"""Loading: configuration files to one model, every problem of all files told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from logintel.config.check import check
from logintel.config.document import Document, Key, read_yaml
from logintel.config.problem import Misconfigured, Problem
from logintel.config.reference import References, resolve
from logintel.config.section import Setting
from logintel.config.shared import SharedConfig
from logintel.paths import default_data_dir

M = TypeVar("M", bound=SharedConfig)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A configuration as read: `files` in the order they were read, `references` for showing it without secrets."""

    config: M
    files: tuple[str, ...]
    references: References


def load(model: type[M], files: Sequence[Path | str] = (), data: Path | None = None) -> M:
    """The configuration in `files`; without files, the defaults. Raises Misconfigured.

    `data` is the data directory that state paths are relative to (default: paths.default_data_dir()).
    """
    return load_all(model, files, data).config


def load_all(model: type[M], files: Sequence[Path | str] = (), data: Path | None = None) -> Loaded[M]:
    """`load`, with what is known about where it comes from.

    A top-level key stands in one file only, but for `sources`: its lists are joined, those of the files
    `sources.d/*.yaml` beside each file too.
    """
    folder = Path(files[0]).absolute().parent if files else Path.cwd()
    setting = Setting((data or default_data_dir()).absolute(), folder)
    documents = [document for file in files for document in _with_parts(Path(file), model)]
    whole = _joined(documents)
    references = resolve(whole, folder)
    config, problems = check(model, whole, setting)
    failed = {problem[:3] for problem in whole.problems}
    problems = [problem for problem in [*problems, *model.problems(whole)] if problem[:3] not in failed]
    if config is None or whole.problems or problems:
        order = {document.file: place for place, document in enumerate(documents)}
        found = sorted([*whole.problems, *problems], key=lambda problem: (order[problem.file], problem.line))
        raise Misconfigured([problem._replace(message=references.hide(problem.message)) for problem in found])
    return Loaded(config, tuple(document.file for document in documents), references)


def _with_parts(file: Path, model: type[SharedConfig]) -> list[Document]:
    """The document of a file, and those of sources.d beside it."""
    main = read_yaml(file)
    if not main.value and not main.problems:
        main.problems.append(Problem(main.file, 0, "", "is empty: write at least `sources:` with one source"))
    parts = sorted(file.parent.glob("sources.d/*.yaml")) if "sources" in model.model_fields else []
    return [main, *map(_sources_only, map(read_yaml, parts))]


def _sources_only(part: Document) -> Document:
    for name in part.value.keys() - {"sources"}:
        part.problems.append(part.problem((name,), "a file in sources.d holds the key sources alone"))
    part.value = {name: value for name, value in part.value.items() if name == "sources"}
    return part


def _joined(documents: Sequence[Document]) -> Document:
    """One document out of many; each value keeps its own place."""
    whole = Document(documents[0].file if documents else "")
    for document in documents:
        whole.problems += document.problems
        for name, value in document.value.items():
            taken = whole.value.get(name)
            if name not in whole.value:
                _take(whole, document, name, 0)
                whole.value[name] = value
            elif name == "sources" and isinstance(value, list) and isinstance(taken, list):
                _take(whole, document, name, len(taken))
                whole.value[name] = [*taken, *value]
            else:
                first = whole.place((name,))
                whole.problems.append(document.problem((name,), f"stands in {first.file}:{first.line} too: remove one"))
    return whole


def _take(whole: Document, document: Document, name: str, shift: int) -> None:
    """Note the places below key `name` of `document`; list indices under it move by `shift`."""
    for key, place in document.places.items():
        if key[0] != name or (shift and len(key) == 1):
            continue
        moved: Key = (name, key[1] + shift, *key[2:]) if len(key) > 1 and isinstance(key[1], int) else key
        whole.places[moved] = place
