"""Trouble with a cluster in words: what is wrong, with whom, and what to do about it.

aiokafka says only "Unable to bootstrap" where no broker could be reached, so each is asked once more for its reason.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    InvalidTimestampError,
    KafkaError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that asking the brokers for their reasons may take in all.
ASKING: Final = 5.0
#: What tells nothing but that a broker could not be talked to.
UNREACHABLE: Final = (TimeoutError, OSError, EOFError)


class Trouble(NamedTuple):
    """`must_act`: it does not pass by itself, somebody must change a configuration or grant a right."""

    reason: str
    must_act: bool


class TopicAbsent(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The topic is not there, or may not be seen."""


class PartitionAbsent(KafkaError):  # type: ignore[misc]
    """The topic has fewer partitions than it had."""


def named(error: BaseException, config: KafkaBusConfig, topic: str) -> Trouble:
    """The trouble that an error of the cluster means, as far as the error alone can tell."""
    servers, who = ", ".join(config.bootstrap_servers), _who(config)
    match error:
        case TopicAuthorizationFailedError():
            return Trouble(f"Kafka does not let {who} write to topic {topic}: grant Write on that topic", True)
        case ClusterAuthorizationFailedError():
            right = f"grant Write on topic {topic} (before Kafka 2.8 also IdempotentWrite on the cluster)"
            return Trouble(f"Kafka does not let {who} write: {right}", True)
        case TopicAbsent() | UnknownTopicOrPartitionError():
            remedy = "run `logintel collector setup`, or grant Write on it"
            return Trouble(f"topic {topic} is missing or {who} may not see it: {remedy}", True)
        case NotEnoughReplicasError() | NotEnoughReplicasAfterAppendError():
            remedy = "bring brokers back (or lower its min.insync.replicas)"
            return Trouble(f"too few replicas of topic {topic} are in sync for Kafka to take it: {remedy}", False)
        case InvalidTimestampError():
            return Trouble(f"Kafka refuses this host's time in topic {topic}: set the clocks of both right", True)
        case PartitionAbsent():
            return Trouble(f"topic {topic} has lost partition {error.args[0]}: add partitions to it again", True)
        case TimeoutError():
            return Trouble(f"Kafka at {servers} gives no answer in time: it is away, stuck or slow", False)
        case Refused():
            return Trouble(str(error), True)
    return Trouble(f"Kafka at {servers}: {error or type(error).__name__}", False)


#: What says itself why.
_ANSWERS: Final = (TopicAbsent, TopicAuthorizationFailedError, ClusterAuthorizationFailedError, Refused)


async def explained(error: BaseException, config: KafkaBusConfig, topic: str = "", within: float = ASKING) -> Trouble:
    """The trouble behind an error that a client raised when it connected. Takes `within` seconds at most."""
    if isinstance(error, _ANSWERS):
        return named(error, config, topic)
    try:
        async with asyncio.timeout(within):
            found = [trouble async for trouble in _each(config, within / 2)]
    except (TimeoutError, Refused):
        found = []
    if not found:
        return named(error, config, topic)
    return Trouble("; ".join(dict.fromkeys(one.reason for one in found)), any(one.must_act for one in found))


async def _each(config: KafkaBusConfig, seconds: float) -> AsyncIterator[Trouble]:
    """Troubles of the servers; when one of them is well, those of the brokers that it names."""
    arguments = client_arguments(config)
    servers = arguments.pop("bootstrap_servers")
    troubles = []
    for host, port, _ in collect_hosts(servers, randomize=False):
        trouble, brokers = await _asked(host, port, arguments, config, seconds)
        if trouble is not None:
            troubles.append(trouble)
            continue
        for _, *place, _ in brokers:
            trouble, _ = await _asked(place[0], place[1], arguments, config, seconds)
            if trouble is not None:
                hint = f"(named by {host}:{port}; is advertised.listeners of that broker right?)"
                yield trouble._replace(reason=f"{trouble.reason} {hint}")
        return
    for trouble in troubles:
        yield trouble


async def _asked(
    host: str, port: int, arguments: dict[str, Any], config: KafkaBusConfig, seconds: float
) -> tuple[Trouble | None, list[Any]]:
    """What is wrong with a broker, and the brokers that it names when nothing is."""
    connection: AIOKafkaConnection | None = None
    try:
        async with asyncio.timeout(seconds):
            connection = await create_conn(host, port, **arguments)
            answer = await connection.send(MetadataRequest([]))
        return None, list(answer.brokers)
    except (KafkaError, *UNREACHABLE) as error:
        reason, must_act = next(_reasons(error, config))
        return Trouble(f"Kafka at {host}:{port} {reason}", must_act), []
    finally:
        if connection is not None:
            await bounded(asyncio.wait({connection.close()}))


def _reasons(error: BaseException, config: KafkaBusConfig) -> Iterator[tuple[str, bool]]:
    """The most telling first."""
    cause = error.__cause__ or error
    for one in (error, cause):
        match one:
            case SaslAuthenticationFailed():
                yield f"does not let {_who(config)} in: check sasl_username, sasl_password and sasl_mechanism", True
            case UnsupportedSaslMechanismError() | IllegalSaslStateError():
                login = f"does not take a login by {config.sasl_mechanism}"
                yield f"{login}: check sasl_mechanism and security_protocol", True
            case ssl.SSLCertVerificationError():
                what = f"has a certificate that is not trusted ({one.verify_message})"
                yield f"{what}: check ssl_cafile and its name in bootstrap_servers", True
            case ssl.SSLError():
                yield f"ends TLS ({one.reason}): check security_protocol, ssl_certfile and ssl_keyfile", True
            case ConnectionRefusedError():
                yield "refuses the connection: is it running, is this its address?", False
            case TimeoutError():
                yield "does not answer: it is away, stuck, or something between drops what is sent", False
            case EOFError() | ConnectionResetError():
                protocol = f"security_protocol {config.security_protocol}"
                yield f"hangs up: is it starting, or is {protocol} not what it listens for?", False
            case OSError():
                yield f"cannot be reached: {one.strerror or one}", False
    yield f"fails: {error or type(error).__name__}", False


def _who(config: KafkaBusConfig) -> str:
    if config.security_protocol.startswith("SASL"):
        return f"user {config.sasl_username} ({config.sasl_mechanism})"
    return "the client's certificate" if config.ssl_certfile else "this client"
