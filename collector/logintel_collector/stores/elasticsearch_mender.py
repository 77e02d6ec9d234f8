"""The mender: documents that their indices refused, each mended by what its index has and says; said once a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from logintel_collector.stores.elasticsearch import ElasticsearchClient
from logintel_collector.stores.elasticsearch_fields import IndexFields, fields_of
from logintel_collector.stores.elasticsearch_mend import mended, named

#: Indices that are asked for their fields in one go; documents for further ones are mended by what is said alone.
_ASKED: Final = 16
#: Fields of which it is said that some documents have them in `overflow`.
_SAID: Final = 1000
_log = structlog.get_logger(__name__)


class Rejected(NamedTuple):
    """A document that an index refused: `to` it, for `reason`, after so many `mends`."""

    to: str
    body: bytes
    reason: str
    mends: int


class Mender:
    """Remembers only what it has said: the indices know their fields, for all collectors together."""

    def __init__(self, client: ElasticsearchClient) -> None:
        self._client = client
        self._said: set[tuple[str, str]] = set()

    async def mend(self, rejected: Sequence[Rejected]) -> list[bytes | None]:
        """Each as it is to be sent again; None: nothing can be done. Raises ElasticsearchError when nobody answers."""
        indices = list(dict.fromkeys(each.to for each in rejected))
        fields: dict[str, IndexFields | None] = {
            index: await fields_of(self._client, index) for index in indices[:_ASKED]
        }
        for each in rejected:
            self._say(each)
        return [mended(each.body, each.reason, each.mends, fields.get(each.to)) for each in rejected]

    def _say(self, rejected: Rejected) -> None:
        field = named(rejected.reason)
        if (rejected.to, field) in self._said or len(self._said) >= _SAID:
            return
        self._said.add((rejected.to, field))
        effect = f"such documents have it in overflow, found as overflow.{field or 'metadata.NAME'}"
        _log.warning("field_does_not_fit", index=rejected.to, reason=rejected.reason, effect=effect)
