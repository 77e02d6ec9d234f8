"""Configuration of a format of the user's own: how a record is taken apart, and what its parts are."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from logintel.config.section import Section, defaults
from logintel.event import Level
from logintel_custom import layouts, stamps
from logintel_custom.grok import Expanded, TypeName


def _compiles(text: str) -> str:
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}; put it in single quotes, so that \\ stays") from None
    if not groups:
        raise ValueError("has no named group; expected such as (?P<message>.*)")
    return text


def _is_path(text: str) -> str:
    layouts.path_steps(text)
    return text


def _is_layout(text: str) -> str:
    stamps.check_layout(text)
    return text


class CsvConfig(Section):
    """Cells between delimiters (RFC 4180)."""

    columns: Annotated[tuple[str, ...], Field(min_length=1, description="Names of the columns; '' leaves one out.")]
    delimiter: Annotated[str, Field(min_length=1, max_length=1, description="What stands between cells.")] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1, description="What a cell may stand in.")] = '"'


class PairsConfig(Section):
    """Pairs such as key=value."""

    between: Annotated[str, Field(min_length=1, description="What stands between two pairs.")] = " "
    sign: Annotated[str, Field(min_length=1, description="What stands between a key and its value.")] = "="


class TimestampConfig(Section):
    """Which part is the time, and how it is written."""

    field: Annotated[str, Field(description="Name of the part.")] = "timestamp"
    layout: Annotated[
        Annotated[str, AfterValidator(_is_layout)] | None,
        Field(description="Directives of strptime, such as '%d.%m.%Y %H:%M:%S'; by default any common stamp."),
    ] = None


class LevelConfig(Section):
    """Which part is the level, and what its words mean."""

    field: Annotated[str, Field(description="Name of the part.")] = "level"
    map: Annotated[
        dict[str, Level],
        Field(default_factory=dict, description="Word → DEBUG, INFO, WARN, ERROR or FATAL; other words as everywhere."),
    ]


class FormatConfig(Section):
    """One of `pattern`, `grok`, `csv`, `json` and `pairs`, and what the parts are that it finds."""

    pattern: Annotated[
        Annotated[str, AfterValidator(_compiles)] | None,
        Field(description="Regular expression with named groups, matched from a record's start."),
    ] = None
    grok: Annotated[str | None, Field(description="Grok pattern, such as '%{IP:client_ip} %{GREEDYDATA:message}'.")] = (
        None
    )
    definitions: Annotated[
        dict[str, str], Field(default_factory=dict, description="Grok patterns of your own: name → pattern.")
    ]
    csv: Annotated[CsvConfig | None, Field(description="Cells between delimiters.")] = None
    json_: Annotated[
        dict[str, Annotated[str, AfterValidator(_is_path)]] | None,
        Field(alias="json", description="JSON objects: name of a part → path, such as {message: $.event.text}."),
    ] = None
    pairs: Annotated[PairsConfig | None, Field(description="Pairs such as key=value.")] = None
    timestamp: Annotated[TimestampConfig, Field(default_factory=defaults, description="The time.")]
    level: Annotated[LevelConfig, Field(default_factory=defaults, description="The level.")]
    message: Annotated[str, Field(description="Name of the part that is the message.")] = "message"
    types: Annotated[
        dict[str, TypeName], Field(default_factory=dict, description="Part → int, float or bool; text by default.")
    ]

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        ways = {
            "pattern": self.pattern,
            "grok": self.grok,
            "csv": self.csv,
            "json": self.json_,
            "pairs": self.pairs,
        }
        chosen = [name for name, value in ways.items() if value is not None]
        if len(chosen) != 1:
            raise ValueError(f"expected one of {', '.join(ways)}; got {' and '.join(chosen) or 'none'}")
        if self.definitions and self.grok is None:
            raise ValueError("`definitions` are for `grok`")
        if self.grok is not None and not Expanded(self.grok, self.definitions).fields:
            raise ValueError("grok: names no field; expected such as %{GREEDYDATA:message}")
        return self

    def layout(self) -> tuple[layouts.Layout, dict[str, TypeName]]:
        """What takes a record apart, and the types of its parts."""
        if self.pattern is not None:
            return layouts.pattern(re.compile(self.pattern)), self.types
        if self.grok is not None:
            expanded = Expanded(self.grok, self.definitions)
            return layouts.pattern(expanded.pattern, expanded.fields), {**expanded.types, **self.types}
        if self.csv is not None:
            return layouts.cells(self.csv.columns, self.csv.delimiter, self.csv.quote), self.types
        if self.pairs is not None:
            return layouts.pairs(self.pairs.between, self.pairs.sign), self.types
        return layouts.members(self.json_ or {}), self.types
