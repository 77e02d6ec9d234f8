"""Tokens: who sends, from what the request says, told in a time that says nothing about the tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from hmac import compare_digest

from logintel_splunk.answers import refusal
from logintel_splunk.config import TokenConfig


class Tokens:
    """The tokens of a collector."""

    def __init__(self, configured: Sequence[TokenConfig]) -> None:
        self._known = [(token.token.get_secret_value().encode(), token) for token in configured]

    def holder(self, authorization: bytes | None, query: Mapping[str, str]) -> TokenConfig:
        """The token of a request. A token in the query string wins over the header.

        Raises Refusal with codes 1, 2, 3, 4 or 16.
        """
        asked = query.get("token")
        if asked is not None:
            token = self._of(asked.encode())
            if token is not None and not token.query_token:
                raise refusal(16)
        else:
            token = self._of(_presented(authorization))
        if token is None:
            raise refusal(4)
        if not token.enabled:
            raise refusal(1)
        return token

    def check_health(self, query: Mapping[str, str]) -> None:
        """The health of a collector is nobody's secret, but a token that is named is looked at. Raises Refusal with
        codes 21 or 22."""
        if "token" not in query:
            return
        token = self._of(query["token"].encode())
        if token is None:
            raise refusal(21)
        if not token.enabled:
            raise refusal(22)

    def _of(self, presented: bytes) -> TokenConfig | None:
        found = None
        for secret, token in self._known:  # all of them, each time
            if compare_digest(secret, presented):
                found = token
        return found


def _presented(authorization: bytes | None) -> bytes:
    """From `Splunk TOKEN` or `Basic base64(anybody:TOKEN)`."""
    if not authorization:
        raise refusal(2)
    scheme, _, rest = authorization.strip().partition(b" ")
    if scheme.lower() == b"splunk" and rest.strip():
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            raise refusal(3) from None
    raise refusal(3)
