"""Kafka as a well-kept cluster has it: TLS, users with passwords or certificates, and rights that must be granted."""

from __future__ import annotations

import secrets
import shutil
import socket
import ssl
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Final

from logintel_devstack.kafka import Kafka, brokers_named
from logintel_devstack.ports import HOST

#: Its keys are public (they come with this package), so they protect nothing: https://kafka.apache.org/documentation,
#: "SSL key and certificate in PEM format".
_TLS: Final = files("logintel_devstack") / "tls"
ADMIN: Final = "admin"
#: Who may do everything, and who may do what somebody grants.
USERS: Final = (ADMIN, "agent")
SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")

_LISTENERS: Final = """\
listeners=LOGIN://{host}:{client},CLEAR://{host}:{clear},CERTIFICATE://{host}:{certificate},\
CONTROLLER://{host}:{controller}
listener.security.protocol.map=LOGIN:SASL_SSL,CLEAR:SASL_PLAINTEXT,CERTIFICATE:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CERTIFICATE
ssl.keystore.type=PEM
ssl.keystore.location={tls}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={tls}/ca.pem
listener.name.certificate.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# The broker itself: by its certificate, and as nobody where it is its own controller.
super.users=User:{admin};User:CN=broker;User:ANONYMOUS
"""
_LOGIN: Final = """\
listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.{listener}.plain.sasl.jaas.config={plain}
listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram}
listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram}
"""
_PLAIN_MODULE: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class KafkaSecured(Kafka):
    """SASL_SSL for its clients; SASL_PLAINTEXT and TLS with a client's certificate at further ports.

    In its home lie `password`, of all its users, and `ca.pem` and `agent.pem`, for clients.
    """

    name = "kafka-secured"
    PORTS: ClassVar[tuple[str, ...]] = ("client", "clear", "certificate", "controller")

    def prepare(self) -> None:
        """As Kafka; the password and the certificates come first."""
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(12), "ascii")
        for name in ("ca.pem", "agent.pem"):
            shutil.copyfile(str(_TLS / name), self.home / name)
        super().prepare()

    def listeners(self) -> str:
        """See Kafka."""
        plain = " ".join([_PLAIN_MODULE, *(f'user_{user}="{self.password}"' for user in USERS)]) + ";"
        logins = [_LOGIN.format(listener=listener, plain=plain, scram=_SCRAM_MODULE) for listener in ("login", "clear")]
        return _LISTENERS.format(host=HOST, tls=_TLS, admin=ADMIN, **self.ports) + "".join(logins)

    def users(self) -> list[str]:
        """See Kafka."""
        added = [f"{mechanism}=[name={user},password={self.password}]" for mechanism in SCRAM for user in USERS]
        return [word for user in added for word in ("--add-scram", user)]

    def ready(self) -> bool:
        """See Kafka; asked over TLS, with a certificate."""
        context = ssl.create_default_context(cafile=str(_TLS / "ca.pem"))
        context.load_cert_chain(str(_TLS / "agent.pem"))
        try:
            with (
                socket.create_connection((HOST, self.ports["certificate"]), timeout=5) as connection,
                context.wrap_socket(connection, server_hostname=HOST) as secured,
            ):
                return brokers_named(secured) > 0
        except OSError:
            return False

    @property
    def password(self) -> str:
        """Of each of its users."""
        return self._password_file.read_text("ascii")

    @property
    def _password_file(self) -> Path:
        return self.home / "password"
