"""Addresses to listen on, as URLs with the scheme names of Go and Telegraf."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias, cast

from pydantic import AfterValidator

Protocol: TypeAlias = Literal["tcp", "tls", "udp", "unix", "unixgram"]

_NETWORK: Final = re.compile(r"(tcp|tls|udp)://(\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):([0-9]{1,5})")
_UNIX: Final = re.compile(r"(unix|unixgram)://(/.+)")
#: sun_path of Linux (unix(7)) holds 108 bytes, the last one a NUL.
_LONGEST_PATH: Final = 107


class Address(NamedTuple):
    """Where to listen.

    protocol  tcp, tls and udp on a host's port; unix and unixgram, streams and datagrams, at a path
    host      name or address; for a Unix socket its path
    port      0: any that is free
    """

    protocol: Protocol
    host: str
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """From `tcp://HOST:PORT` or `unix:///PATH` (see the class for the other schemes). Raises ValueError."""
        if match := _UNIX.fullmatch(text):
            if len(match[2].encode()) > _LONGEST_PATH:
                raise ValueError(f"{match[2]!r} is too long for a Unix socket: at most {_LONGEST_PATH} bytes")
            return cls(cast(Protocol, match[1]), match[2])
        match = _NETWORK.fullmatch(text)
        if not match or int(match[3]) > 65535:
            raise ValueError(
                f"{text!r} is no address to listen on; expected such as tcp://127.0.0.1:5514, tls://0.0.0.0:6514, "
                "udp://[::1]:514, unix:///run/app.sock or unixgram:///dev/log"
            )
        return cls(cast(Protocol, match[1]), match[2].strip("[]"), int(match[3]))

    @property
    def local(self) -> bool:
        """Whether it is a path on this host."""
        return self.protocol.startswith("unix")

    @property
    def stream(self) -> bool:
        """Whether senders connect and send a stream of bytes."""
        return self.protocol in ("tcp", "tls", "unix")

    def __str__(self) -> str:
        if self.local:
            return f"{self.protocol}://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


def _checked(text: str) -> str:
    Address.parse(text)
    return text


#: A config value that is an address to listen on.
ListenAddress: TypeAlias = Annotated[str, AfterValidator(_checked)]
