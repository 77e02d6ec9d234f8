"""The section: base of every configuration model, and what its validators may know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from logintel.event import Json
from logintel.paths import default_data_dir

if TYPE_CHECKING:
    from logintel.hooks import Plugins


@dataclass
class Setting:
    """Where a configuration is read: pydantic's validation context.

    data     the data directory, which state paths are relative to
    folder   the folder of the configuration file, which paths of further configuration are relative to
    """

    data: Path = field(default_factory=default_data_dir)
    folder: Path = field(default_factory=Path.cwd)

    @cached_property
    def plugins(self) -> Plugins:
        """The installed plugins, found when first asked for."""
        from logintel.hooks import load_plugins  # noqa: PLC0415 - sources are sections: the import would be circular

        return load_plugins()


def setting_of(info: ValidationInfo) -> Setting:
    """The setting of a validation; a default one where a model is built in code."""
    return info.context if isinstance(info.context, Setting) else Setting()


class Section(BaseModel):
    """A part of the configuration. Its repr shows no values: any of them may be a secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, defer_build=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()


class Choice(ABC):
    """Stands in the annotation of a field whose model depends on its value, as a source's depends on its type."""

    @abstractmethod
    def model(self, value: dict[str, Json], setting: Setting) -> type[BaseModel] | None:
        """The model for `value`; None: there is none."""


def _under_data(path: Path, info: ValidationInfo) -> Path:
    return setting_of(info).data / _expanded(path)


def _under_folder(path: Path, info: ValidationInfo) -> Path:
    return setting_of(info).folder / _expanded(path)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"no home directory is known for {path.parts[0]!r}: write the whole path") from None


#: A path of state: relative to the data directory.
DataPath = Annotated[Path, AfterValidator(_under_data)]
#: A path of further configuration: relative to the file that names it.
ConfigPath = Annotated[Path, AfterValidator(_under_folder)]


def defaults() -> Any:
    """`default_factory` of a field that is a section: its keys' defaults, validated where it is read."""
    return {}
