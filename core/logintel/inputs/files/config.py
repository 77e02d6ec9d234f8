"""Configuration of the file input, shared by every source that reads files."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from logintel.config.format_name import FormatName
from logintel.formats import Framer
from logintel.framing import StartPattern
from logintel.source import SourceConfig


class FileInputConfig(SourceConfig):
    """Keys of a source that reads files."""

    paths: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Files, globs (`**` goes down) and directories (the files under them)."),
    ]
    exclude: Annotated[tuple[str, ...], Field(description="Globs of paths or names to leave out.")] = ()
    format: Annotated[FormatName, Field(description="Format of the records; `auto` decides record by record.")] = "auto"
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

    @field_validator("record_start")
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

    def zone(self) -> tzinfo | None:
        """The zone for stamps without one; None: the host's own at the time of the stamp."""
        if self.timezone == "local":
            return None
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    def framing(self) -> Callable[[], Framer] | None:
        """Makes a framer for `record_start`; None: the format's own."""
        return partial(StartPattern, re.compile(self.record_start)) if self.record_start else None
