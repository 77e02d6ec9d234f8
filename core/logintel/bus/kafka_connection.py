"""The connection: what our Kafka clients are told about the cluster, and how one is closed in bounded time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that a client may take to close; then it is abandoned (aio-libs/aiokafka#1101).
CLOSE: Final = 3.0
# What matters of it is raised as well, and said in our words.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def client_arguments(config: KafkaBusConfig) -> dict[str, Any]:
    """Arguments that aiokafka's producer, consumer and admin client share. Raises Refused when a TLS file is none."""
    secured: dict[str, Any] = {}
    if config.security_protocol.endswith("SSL"):
        secured["ssl_context"] = _tls(config)
    if config.security_protocol.startswith("SASL"):
        secured |= {
            "sasl_mechanism": config.sasl_mechanism,
            "sasl_plain_username": config.sasl_username,
            "sasl_plain_password": config.sasl_password.get_secret_value() if config.sasl_password else None,
        }
    return {
        "bootstrap_servers": list(config.bootstrap_servers),
        "security_protocol": config.security_protocol,
        "client_id": "logintel",
        **secured,
    }


async def bounded(work: Coroutine[Any, Any, object], seconds: float = CLOSE) -> bool:
    """Whether `work` ended in time; what it raises is of no interest any more, and it is cancelled when it is late."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    late = not task.done()
    task.cancel()
    if not late:
        with suppress(Exception, asyncio.CancelledError):
            task.result()
    return not late


def _tls(config: KafkaBusConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ssl_cafile)
        if config.ssl_certfile:
            context.load_cert_chain(config.ssl_certfile, config.ssl_keyfile)
    except OSError as error:  # ssl.SSLError is one
        raise Refused(
            f"bus.kafka: a TLS file cannot be used ({error}): check ssl_cafile, ssl_certfile, ssl_keyfile"
        ) from error
    return context
