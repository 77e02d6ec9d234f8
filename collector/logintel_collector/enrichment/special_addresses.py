"""Special addresses: ranges that no database can place, by what IANA says they are for.

https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, multicast by RFC 5771, 4291.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_RANGES: Final[tuple[tuple[str, IPv4Network | IPv6Network], ...]] = tuple(
    (name, ip_network(network))
    for name, networks in {
        "loopback": "127.0.0.0/8 ::1/128",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        "shared": "100.64.0.0/10",
        "link_local": "169.254.0.0/16 fe80::/10",
        "documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "benchmarking": "198.18.0.0/15 2001:2::/48",
        "multicast": "224.0.0.0/4 ff00::/8",
        "unspecified": "0.0.0.0/32 ::/128",
        "reserved": "0.0.0.0/8 192.0.0.0/24 240.0.0.0/4 100::/64",
    }.items()
    for network in networks.split()
)


def address_in(text: str) -> Address | None:
    """The address that a text is: with or without brackets or a zone, IPv4 in IPv6 as IPv4. None: it is none."""
    try:
        found = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def special_use(address: Address) -> str | None:
    """What range the address is of, such as private or loopback; None: it is of the public internet."""
    return next(_uses(address), None)


def _uses(address: Address) -> Iterator[str]:
    for name, network in _RANGES:
        if network.version == address.version and address in network:
            yield name


@lru_cache(maxsize=8192)
def reverse_name_wanted(text: str) -> str | None:
    """The address, as its reverse name is asked for; None: it is none, or one that no name server knows."""
    address = address_in(text)
    if address is None or special_use(address) not in (None, "private", "shared"):
        return None
    return str(address)
