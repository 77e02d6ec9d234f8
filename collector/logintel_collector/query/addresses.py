"""IP addresses as Elasticsearch's `ip` fields have them: 128 bits, an IPv4 address as ::ffff:a.b.c.d."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_MAPPED: Final = 0xFFFF << 32
_ALL: Final = (1 << 128) - 1


def network(text: str) -> tuple[int, int]:
    """First and last of an address or of a network `10.0.0.0/8`. Raises ValueError."""
    if "/" not in text:
        single = number(text)
        return single, single
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP network: expected a form such as 10.0.0.0/8") from None
    return _wide(found.network_address), _wide(found.broadcast_address)


def between(low: str | None, high: str | None, *, low_open: bool, high_open: bool) -> tuple[int, int]:
    """First and last of a range; None: no bound. Raises ValueError."""
    first = 0 if low is None else number(low) + low_open
    last = _ALL if high is None else number(high) - high_open
    return first, last


@lru_cache(maxsize=4096)
def number(text: str) -> int:
    """The 128 bits. Raises ValueError."""
    try:
        return _wide(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _wide(address: IPv4Address | IPv6Address) -> int:
    return int(address) | _MAPPED if isinstance(address, IPv4Address) else int(address)
