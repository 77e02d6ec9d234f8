"""Sizes in bytes as people write them: `64MiB`, `5GB`, `512`."""

from __future__ import annotations

import re
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_BYTES: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kKMGT]?i?B|)")


class Size(int):
    """Bytes, which print as they were written. Raises ValueError for a text that is no size."""

    text: str

    def __new__(cls, text: str) -> Self:
        match = _SIZE.fullmatch(text)
        if match is None or match[2] not in _BYTES or ("." in match[1] and _BYTES[match[2]] == 1):
            raise ValueError(f"expected a size such as 64MiB, 5GB or a number of bytes, got {text!r}")
        self = super().__new__(cls, round(float(match[1]) * _BYTES[match[2]]))
        self.text = text
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Size({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(str(value)),
            serialization=core_schema.to_string_ser_schema(when_used="json"),
            json_schema_input_schema=core_schema.union_schema(
                [core_schema.int_schema(ge=0), core_schema.str_schema(pattern=f"^{_SIZE.pattern}$")]
            ),
        )
