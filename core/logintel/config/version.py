"""The version of a configuration: a short name of what is in effect, for what was done under it."""

from __future__ import annotations

import hashlib
from typing import Final

import orjson

from logintel.config.section import Section

#: Hexadecimal digits.
_DIGITS: Final = 12


def config_version(config: Section) -> str:
    """The same for the same values, however they were written; secrets do not count."""
    values = orjson.dumps(config.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(values).hexdigest()[:_DIGITS]
