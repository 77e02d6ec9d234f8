"""Enricher `dns`: the name of an address, as the name servers have it (reverse lookup). Only for who asks for it.

What it says depends on when it asks: of all enrichers it is the only one whose result a replay may change.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import structlog
from pydantic import BeforeValidator, Field, field_validator

from logintel.duration import Duration
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel_collector.enrichment.fields import FieldPath, metadata_of, one_or_more, reader
from logintel_collector.enrichment.special_addresses import reverse_name_wanted

#: Under which member of `metadata` the name stands.
NAME: Final = "client_name"
#: Lookups at the same time.
_AT_ONCE: Final = 32
#: After so many batches of which no lookup was answered in time, none is made for so many seconds.
_PATIENCE: Final = 3
_PAUSE: Final = 60.0
_log = structlog.get_logger(__name__)


class DnsEnricher(Enricher):
    """Sets metadata.client_name by the first field that holds an address."""

    type: ClassVar[str] = "dns"

    class Config(EnricherConfig):
        """The name of an address."""

        fields: Annotated[
            tuple[FieldPath, ...],
            BeforeValidator(one_or_more),
            Field(min_length=1, description="Where the address stands: the first that holds one counts."),
        ] = ("metadata.client_ip", "metadata.remote_ip", "metadata.peer_ip")
        servers: Annotated[
            tuple[Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]+$")], ...],
            BeforeValidator(one_or_more),
            Field(description="Addresses of name servers; the system's without."),
        ] = ()
        port: Annotated[int, Field(ge=1, le=65535, description="Their port.")] = 53
        timeout: Annotated[
            Duration, Field(description="Time that the lookups of a batch may take together; then it goes on without.")
        ] = Duration("200ms")
        remember: Annotated[Duration, Field(description="How long an answer is used, also that there is no name.")] = (
            Duration("1h")
        )
        remember_at_most: Annotated[int, Field(ge=1, description="Addresses whose answer is remembered.")] = 50_000

        @field_validator("timeout")
        @classmethod
        def _bounded(cls, value: Duration) -> Duration:
            if not 0.001 <= value <= 5:
                raise ValueError("expected 1ms to 5s: the batch waits for it")
            return value

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._config = config
        self._reads = [reader(path) for path in config.fields]
        self._names: OrderedDict[str, tuple[str | None, float]] = OrderedDict()
        self._in_vain, self._silent_until = 0, 0.0

    async def prepare(self, events: Sequence[Enriched]) -> None:
        """Look up the addresses whose names are not known; for at most `timeout`."""
        now = time.monotonic()
        if now < self._silent_until:
            return
        wanted = dict.fromkeys(address for event in events if (address := self._address(event)))
        missing = [address for address in wanted if address not in self._names or self._names[address][1] < now]
        if missing:
            answered = await self._ask(missing)
            self._judge(answered)

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        for event in events:
            address = self._address(event)
            name = self._names.get(address, (None, 0.0))[0] if address else None
            if name:
                metadata_of(event).setdefault(NAME, name)

    def _address(self, event: Enriched) -> str | None:
        for read in self._reads:
            value = read(event)
            if isinstance(value, str) and (address := reverse_name_wanted(value)):
                return address
        return None

    async def _ask(self, addresses: Sequence[str]) -> int:
        """Ask for the names of all at once; how many were answered in time."""
        resolver = self._resolver()
        gate = asyncio.Semaphore(_AT_ONCE)
        answers: dict[str, str | None] = {}

        async def ask(address: str) -> None:
            async with gate:
                answers[address] = await _name(resolver, address)

        tasks = [asyncio.create_task(ask(address)) for address in addresses]
        _, late = await asyncio.wait(tasks, timeout=self._config.timeout)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for address, name in answers.items():
            self._remember(address, name)
        return len(answers)

    def _remember(self, address: str, name: str | None) -> None:
        self._names[address] = name, time.monotonic() + self._config.remember
        self._names.move_to_end(address)
        if len(self._names) > self._config.remember_at_most:
            self._names.popitem(last=False)

    def _judge(self, answered: int) -> None:
        self._in_vain = 0 if answered else self._in_vain + 1
        if self._in_vain >= _PATIENCE:
            self._in_vain, self._silent_until = 0, time.monotonic() + _PAUSE
            _log.warning(
                "dns_paused", seconds=_PAUSE, reason="no name server answered in time",
                effect="events go on without names", remedy="name servers that answer as `servers`, or leave dns out",
            )  # fmt: skip

    def _resolver(self) -> Any:
        import dns.asyncresolver  # noqa: PLC0415 - only who looks names up needs the resolver

        resolver = dns.asyncresolver.Resolver(configure=not self._config.servers)
        if self._config.servers:
            resolver.nameservers = list(self._config.servers)
            resolver.port = self._config.port
        resolver.lifetime = resolver.timeout = self._config.timeout
        return resolver


async def _name(resolver: Any, address: str) -> str | None:
    """The name, without its last dot; None: the servers say there is none. Raises when they say nothing."""
    import dns.resolver  # noqa: PLC0415 - as above

    try:
        answer = await resolver.resolve_address(address, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    return str(answer[0].target).rstrip(".").lower() or None
