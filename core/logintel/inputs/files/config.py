"""Configuration of the file input, shared by every source that reads files."""

from __future__ import annotations

import codecs
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from logintel.config.format_name import FormatName
from logintel.formats import Format, FormatRegistry, Framer, Reading
from logintel.framing import EndPattern, StartPattern
from logintel.source import SourceConfig


class TextFilesConfig(SourceConfig, ABC):
    """Keys of a source that reads files of text; `form` says of which format."""

    paths: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Files, globs (`**` goes down) and directories (the files under them)."),
    ]
    exclude: Annotated[tuple[str, ...], Field(description="Globs of paths or names to leave out.")] = ()
    timezone: Annotated[
        str, Field(description="Zone of stamps that name none, such as Europe/Berlin; `local` is the host's.")
    ] = "local"
    encoding: Annotated[
        str | None, Field(description="Encoding of the files; a byte order mark overrules it. UTF-8 by default.")
    ] = None

    record_start: Annotated[
        str | None,
        Field(description="Regular expression that a record's first line begins with; the format decides by default."),
    ] = None

    record_end: Annotated[
        str | None, Field(description="Regular expression that is found in a record's last line, such as `;$`.")
    ] = None
    record_continues: Annotated[
        str | None,
        Field(description="Regular expression that a line begins with which goes on with the record before it."),
    ] = None

    @abstractmethod
    def form(self, formats: FormatRegistry) -> Format:
        """A new instance of the records' format, for one stream."""

    def form_of(self, formats: FormatRegistry, path: str, head: bytes) -> Format | None:  # noqa: ARG002 - for others
        """The same for a file that begins with the bytes `head`, where that or its name decides; None: they do not
        tell yet, and the file is looked at again."""
        return self.form(formats)

    @field_validator("record_start", "record_end", "record_continues")
    @classmethod
    def _a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}; put it in single quotes, so that \\ stays") from None
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value != "local":
            try:
                ZoneInfo(value)
            except (KeyError, OSError, ValueError):
                raise ValueError(f"unknown time zone {value!r}; expected a name such as Europe/Berlin or UTC") from None
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return codecs.lookup(value).name if value else None
        except LookupError:
            raise ValueError(f"unknown encoding {value!r}; expected a name such as utf-8 or latin-1") from None

    def reading(self, now: datetime) -> Reading:
        """What formats may know at `now`. The reference is the full hour, so that readings of one hour are equal and
        share what they remember; it only decides the year of stamps that have none."""
        return Reading(_zone_of(self.timezone), now.replace(minute=0, second=0, microsecond=0))

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(rule is not None for rule in (self.record_start, self.record_end, self.record_continues)) > 1:
            raise ValueError("expected one of `record_start`, `record_end` and `record_continues`")
        return self

    def framing(self) -> Callable[[], Framer] | None:
        """Makes a framer for the rule that says where records begin or end; None: the format's own."""
        if self.record_end is not None:
            return partial(EndPattern, re.compile(self.record_end))
        if self.record_continues is not None:
            return partial(StartPattern, re.compile(self.record_continues), negated=True)
        return partial(StartPattern, re.compile(self.record_start)) if self.record_start is not None else None


class FileInputConfig(TextFilesConfig):
    """Keys of a source that reads files of an installed format."""

    format: Annotated[FormatName, Field(description="Format of the records; `auto` decides record by record.")] = "auto"

    def form(self, formats: FormatRegistry) -> Format:
        """See TextFilesConfig."""
        return formats.create(self.format)


@lru_cache(maxsize=64)
def _zone_of(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    return _local_zone() if name == "local" else ZoneInfo(name)


def _local_zone() -> tzinfo:
    """The host's zone with its rules, not its offset of today: an old stamp may lie behind a clock change."""
    named = os.environ.get("TZ", "").removeprefix(":")
    try:
        if named:
            return ZoneInfo(named)
        with Path("/etc/localtime").open("rb") as rules:
            return ZoneInfo.from_file(rules, key="local")
    except (OSError, ValueError):
        return UTC
