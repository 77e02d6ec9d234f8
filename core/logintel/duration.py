"""Durations as people write them: `30s`, `5m`, `1h30m`, `250ms`, `2d`."""

from __future__ import annotations

import re
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


class Duration(float):
    """Seconds, which print as they were written. Raises ValueError for a text that is no duration.

    A number without a unit is refused: whether `30` means seconds or milliseconds is anybody's guess.
    """

    text: str

    def __new__(cls, text: str) -> Self:
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"expected a duration such as 30s, 5m, 1h30m, 250ms or 2d, got {text!r}")
        self = super().__new__(cls, sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
        self.text = text
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Duration({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validated,
            serialization=core_schema.to_string_ser_schema(when_used="json"),
            json_schema_input_schema=core_schema.str_schema(pattern=f"^{_WHOLE.pattern}$"),
        )

    @classmethod
    def _validated(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"expected a duration with its unit, such as {value}s")
        return cls(str(value))
