"""URLs: the parts of the address that a request names."""

from __future__ import annotations

import re
from typing import Final

from logintel.event import Json

_URL: Final = re.compile(
    r"(?:([a-zA-Z][a-zA-Z0-9+.-]{0,15})://)?(\[[0-9a-fA-F:.]+\]|[^/:?#@ \[\]]+)?(?::([0-9]{1,5}))?(/[^?#]*)?"
    r"(?:\?([^#]*))?"
)


def put_url(metadata: dict[str, Json], url: str) -> None:
    """Add url_scheme, url_host, url_port, url_path and url_query, as far as the URL has them."""
    match = _URL.match(url)
    if match is None or (match[1] is None and match[2] and match[3] is None):
        return
    for key, value in zip(("url_scheme", "url_host", "url_port", "url_path", "url_query"), match.groups(), strict=True):
        if value:
            metadata[key] = int(value) if key == "url_port" else value
