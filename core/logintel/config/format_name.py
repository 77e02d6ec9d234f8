"""The format's name: text that must name an installed format."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, ValidationInfo

from logintel.config.problem import nearest
from logintel.config.section import setting_of


def _installed(name: str, info: ValidationInfo) -> str:
    known = setting_of(info).plugins.formats
    if name not in known:
        raise ValueError(f"unknown format {name!r}{nearest(name, known)}")
    return name


FormatName: TypeAlias = Annotated[str, AfterValidator(_installed)]
