"""Configuration of the Splunk source."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from logintel.config.format_name import FormatName
from logintel.config.section import Section
from logintel.inputs.sockets import Address
from logintel.inputs.sockets.config import TlsConfig
from logintel.size import Size
from logintel.source import SourceConfig

#: A whole request is held in memory.
_LARGEST_CONTENT: Final = 256 * 1024 * 1024


class TokenConfig(Section):
    """A token, and what its holder may do."""

    token: Annotated[
        SecretStr, Field(min_length=1, max_length=200, description="The token; best written as ${file:PATH}.")
    ]
    name: Annotated[
        str,
        Field(pattern=r"^[\w.-]{1,100}$", description="Its name, put on the events as metadata.splunk_token."),
    ]
    enabled: Annotated[bool, Field(description="Whether it is taken; false answers 403, Token disabled.")] = True
    ack: Annotated[
        bool, Field(description="Indexer acknowledgement: senders name a channel and ask for ids that they were given.")
    ] = False
    query_token: Annotated[bool, Field(description="Take the token from the query string (?token=) too.")] = False
    indexes: Annotated[
        tuple[str, ...], Field(description="Indexes that events may name; without it, any. Others answer 400.")
    ] = ()
    index: Annotated[str | None, Field(description="Index of events that name none.")] = None
    sourcetype: Annotated[str | None, Field(description="Source type of events that name none.")] = None

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.index and self.indexes and self.index not in self.indexes:
            raise ValueError(f"index {self.index!r} is not one of `indexes`: add it there")
        return self


class SplunkConfig(SourceConfig):
    """Keys of the Splunk source."""

    mode: Annotated[Literal["hec"], Field(description="hec: be an HTTP Event Collector.")] = "hec"
    listen: Annotated[
        str,
        Field(
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):\d{1,5}$",
            description="Address as host:port; Splunk's own port is 8088. 127.0.0.1 is this host alone.",
        ),
    ]
    tls: Annotated[TlsConfig | None, Field(description="Certificate; without it the collector speaks plain HTTP.")] = (
        None
    )
    tokens: Annotated[tuple[TokenConfig, ...], Field(max_length=1000, description="Tokens that are taken.")] = ()
    anonymous: Annotated[bool, Field(description="Take events from everybody, without a token.")] = False
    format: Annotated[FormatName, Field(description="Format of the events' text.")] = "auto"
    formats: Annotated[
        dict[str, FormatName],
        Field(default_factory=dict, description="Format of the text of events of a source type, by its name."),
    ]
    max_content: Annotated[
        Size, Field(ge=1024, le=_LARGEST_CONTENT, description="Most bytes of a request, as sent and unzipped.")
    ] = Size("16MiB")
    max_connections: Annotated[
        int, Field(ge=1, le=100_000, description="Connections open at once; more are closed at once.")
    ] = 1000
    max_channels: Annotated[
        int, Field(ge=1, le=1_000_000, description="Channels with acknowledgements, of all tokens; more answer 503.")
    ] = 10_000

    @model_validator(mode="after")
    def _somebody_may_send(self) -> Self:
        if self.anonymous == bool(self.tokens):
            raise ValueError("expected `tokens: [{token: …, name: …}]`, or `anonymous: true` to take all there is")
        for key in ("token", "name"):
            seen = [getattr(token, key) for token in self.tokens]
            if len(set(seen)) < len(seen):
                raise ValueError(f"two of `tokens` have the same {key}: the sender of an event has to be told apart")
        return self

    @model_validator(mode="after")
    def _taken_is_kept(self) -> Self:
        if self.spool.when_full == "drop_newest":
            raise ValueError(
                "spool.when_full: drop_newest would tell senders that dropped events are safe: leave it out; "
                "a full spool is answered 503, and they come again"
            )
        return self

    @property
    def address(self) -> Address:
        """Where to listen."""
        return Address.parse(f"tcp://{self.listen}")
