"""Configuration of the socket input, shared by every source that listens."""

from __future__ import annotations

import ssl
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from logintel.config.section import ConfigPath, Section
from logintel.inputs.sockets.address import Address, ListenAddress
from logintel.refused import Refused
from logintel.source import SourceConfig

_MODE: Final = r"^0?[0-7]{3}$"


class TlsConfig(Section):
    """The certificate of a listener, and whose clients it takes."""

    cert: Annotated[ConfigPath, Field(description="Certificate, with the chain behind it (PEM).")]
    key: Annotated[ConfigPath | None, Field(description="Its key, if it is not in the same file.")] = None
    client_ca: Annotated[
        ConfigPath | None,
        Field(description="Authorities (PEM) whose clients are taken; without it no client needs a certificate."),
    ] = None

    def context(self) -> ssl.SSLContext:
        """For connections to us: TLS 1.2 or later. Raises Refused."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key)
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            names = ", ".join(str(path) for path in (self.cert, self.key, self.client_ca) if path)
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise Refused(
                f"tls: {reason}: check that these are PEM files that belong together and may be read: {names}"
            ) from error
        return context


class ListenConfig(SourceConfig):
    """Keys of a source that listens."""

    listen: Annotated[
        tuple[ListenAddress, ...],
        Field(
            description="Addresses to receive syslog or lines on: tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, "
            "unix:///PATH (stream) and unixgram:///PATH (datagrams, as /dev/log)."
        ),
    ] = ()
    tls: Annotated[TlsConfig | None, Field(description="Certificate for the addresses that begin with tls://.")] = None
    max_connections: Annotated[
        int, Field(ge=1, le=100_000, description="Connections open at once; further senders wait.")
    ] = 1000
    socket_mode: Annotated[
        str, Field(pattern=_MODE, description='Permissions of Unix sockets, in quotes: "0666" lets everybody send.')
    ] = "0600"

    @model_validator(mode="after")
    def _tls_where_it_is_used(self) -> Self:
        used = any(address.protocol == "tls" for address in self.addresses())
        if used and self.tls is None:
            raise ValueError("an address with tls:// needs `tls: {cert: FILE, key: FILE}`")
        if self.tls is not None and not used:
            raise ValueError("`tls` is for addresses that begin with tls://, and there is none in `listen`")
        return self

    def addresses(self) -> list[Address]:
        """The addresses of `listen`."""
        return [Address.parse(text) for text in self.listen]
