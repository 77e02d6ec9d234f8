"""Whom to tell of alerts: the entries of `notify` in the collector's configuration."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr

from logintel.config.section import Section
from logintel.duration import Duration

_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class WebhookConfig(Section):
    """Posts each notification as JSON, with its id in the header Idempotency-Key."""

    type: Annotated[Literal["webhook"], Field(description="webhook")]
    url: Annotated[HttpUrl, Field(description="Where to post; any 2xx answer means told.")]
    timeout: Annotated[Duration, Field(description="How long one attempt may take.")] = Duration("10s")
    headers: Annotated[
        dict[_HeaderName, SecretStr],
        Field(default_factory=dict, description="Headers to send, for example Authorization."),
    ]

    @property
    def channel(self) -> str:
        """The channel's name in the outbox: the same as long as the URL is, and without what the URL may hide."""
        return "webhook-" + hashlib.blake2b(str(self.url).encode(), digest_size=6).hexdigest()


#: One entry of `notify`.
NotifyConfig = WebhookConfig
