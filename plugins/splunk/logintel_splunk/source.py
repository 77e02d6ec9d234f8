"""The Splunk source: what clients of the HTTP Event Collector send."""

from __future__ import annotations

from logintel.batch import Accept
from logintel.inputs.sockets.binding import listening
from logintel.source import Source
from logintel_splunk.config import SplunkConfig

#: For Unix sockets, which the collector has none of.
_NO_MODE = 0


class SplunkSource(Source):
    """An HTTP Event Collector for clients of Splunk."""

    type = "splunk"
    Config = SplunkConfig
    config: SplunkConfig

    async def serve(self, accept: Accept) -> None:
        """Receive on the address of `listen`. Raises Refused when it cannot be had, or a certificate not be used."""
        from logintel_splunk.collector import Collector  # noqa: PLC0415 - an HTTP server: only who listens needs it
        from logintel_splunk.server import serve  # noqa: PLC0415

        tls = self.config.tls.context() if self.config.tls else None
        collector = Collector(self.config, self.context, accept)
        async with listening(self.config.address, _NO_MODE) as opened:
            await serve(collector, opened, tls, self.config.max_connections)
