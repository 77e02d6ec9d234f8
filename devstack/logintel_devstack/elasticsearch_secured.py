"""Elasticsearch as a well-kept cluster has it: TLS, users with passwords, API keys, and rights that must be granted."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import shutil
import ssl
from importlib.resources import files
from typing import Final

from logintel_devstack.elasticsearch import Elasticsearch
from logintel_devstack.ports import HOST

#: Its keys are public (they come with this package), so they protect nothing. Made for the secured Kafka.
_TLS: Final = files("logintel_devstack") / "tls"
#: Who may do everything.
ADMIN: Final = "admin"
#: https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/security-settings
_SETTINGS: Final = """\
xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.certificate: certificate.pem
xpack.security.http.ssl.key: key.pem
xpack.security.authc.password_hashing.algorithm: pbkdf2
"""
_ITERATIONS: Final = 10_000
_PEM: Final = re.compile(r"-----BEGIN (?P<what>[A-Z ]+)-----.*?-----END (?P=what)-----\n", re.DOTALL)


class ElasticsearchSecured(Elasticsearch):
    """TLS and a password for its clients. In its home lie `password`, of user admin, and `ca.pem`, for clients."""

    name = "elasticsearch-secured"

    def prepare(self) -> None:
        """As Elasticsearch, with a certificate and a user; the password stays the same."""
        super().prepare()
        password = self.home / "password"
        if not password.exists():
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(12), "ascii")
        shutil.copyfile(str(_TLS / "ca.pem"), self.home / "ca.pem")
        parts = [(part["what"], part[0]) for part in _PEM.finditer((_TLS / "broker.pem").read_text("ascii"))]
        for name, what in (("certificate.pem", "CERTIFICATE"), ("key.pem", "PRIVATE KEY")):
            text = "".join(part for kind, part in parts if kind == what)
            (self.config / name).write_text(text, "ascii")
        (self.config / "users").write_text(f"{ADMIN}:{_hashed(password.read_text('ascii'))}\n", "ascii")
        (self.config / "users_roles").write_text(f"superuser:{ADMIN}\n", "ascii")

    def security(self) -> str:
        """See Elasticsearch."""
        return _SETTINGS

    def connection(self) -> http.client.HTTPConnection:
        """See Elasticsearch."""
        context = ssl.create_default_context(cafile=str(_TLS / "ca.pem"))
        return http.client.HTTPSConnection(HOST, self.ports["client"], timeout=5, context=context)

    def headers(self) -> dict[str, str]:
        """See Elasticsearch."""
        login = f"{ADMIN}:{(self.home / 'password').read_text('ascii')}"
        return {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}

    @property
    def address(self) -> str:
        """Its URL."""
        return f"https://{HOST}:{self.ports['client']}"


def _hashed(password: str) -> str:
    """As Elasticsearch's hashing algorithm `pbkdf2` has it: PBKDF2 with HMAC-SHA512, 32 bytes of salt and of hash."""
    salt = secrets.token_bytes(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 32)
    return f"{{PBKDF2}}{_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
