"""TLS between the collector and Debian's PostgreSQL: whom it trusts, whom it is, and what it says when that fails.

Peers answer a wrong authority with a stack trace or the bare error of OpenSSL; here it names the key to mend.
"""

from __future__ import annotations

import asyncio

import pytest
from debian_postgres import PASSWORD, Server

from logintel.refused import Refused
from logintel_collector.config import PostgresConfig
from logintel_collector.stores.servers import try_postgres

TRUSTING = "sslmode=verify-full&sslrootcert={home}/ca.crt"
AS_LOGINTEL = "sslcert={home}/logintel.crt&sslkey={home}/logintel.key"


def tried(dsn: str) -> str:
    """What `config check --connect` says of it; never the password."""
    try:
        said = asyncio.run(try_postgres(PostgresConfig.model_validate({"dsn": dsn})))
    except Refused as refused:
        said = str(refused)
    assert PASSWORD not in said
    return said


def dsn_of(server: Server, query: str, host: str = "localhost", database: str = "postgres") -> str:
    login = "logintel" if database == "certificate" else f"logintel:{PASSWORD}"
    return f"postgresql://{login}@{host}:{server.port}/{database}?{query.format(home=server.home)}"


@pytest.fixture(scope="module")
def server(debian: Server) -> Server:
    debian.sql("CREATE DATABASE certificate OWNER logintel")
    return debian


def test_a_server_of_the_authority_it_was_told_of_is_taken(server: Server) -> None:
    assert tried(dsn_of(server, TRUSTING)).startswith("PostgreSQL 1")


def test_a_client_is_known_by_its_certificate_alone(server: Server) -> None:
    assert tried(dsn_of(server, f"{TRUSTING}&{AS_LOGINTEL}", database="certificate")).startswith("PostgreSQL 1")


@pytest.mark.parametrize(
    ("query", "host", "database", "said"),
    [
        ("sslmode=verify-full&sslrootcert={home}/other.crt", "localhost", "postgres", "the server's certificate is not trusted (self-signed certificate in certificate chain): check sslrootcert in stores.postgres.dsn"),
        (TRUSTING, "127.0.0.1", "postgres", "the server's certificate is not trusted (IP address mismatch, certificate is not valid for '127.0.0.1'): check sslrootcert in stores.postgres.dsn"),
        ("sslmode=verify-full&sslrootcert={home}/none.crt", "localhost", "postgres", "/none.crt: no such file: check it in stores.postgres.dsn"),
        ("sslmode=verify-full&sslrootcert={home}/ca.key", "localhost", "postgres", "NO_CERTIFICATE_OR_CRL_FOUND: check sslrootcert"),
        ("sslmode=verify-full", "localhost", "postgres", "name the authority with sslrootcert=/path/to/ca.crt"),
        ("sslmode=full", "localhost", "postgres", "stores.postgres.dsn: `sslmode` parameter must be one of"),
        ("sslmode=disable", "localhost", "postgres", "no encryption: check stores.postgres.dsn"),
        (TRUSTING, "localhost", "certificate", "connection requires a valid client certificate: check stores.postgres.dsn"),
        (f"{TRUSTING}&sslcert={{home}}/localhost.crt&sslkey={{home}}/localhost.key", "localhost", "certificate", 'certificate authentication failed for user "logintel": check stores.postgres.dsn'),
        (f"{TRUSTING}&sslcert={{home}}/logintel.crt&sslkey={{home}}/localhost.key", "localhost", "certificate", "KEY_VALUES_MISMATCH: check sslrootcert, sslcert and sslkey"),
    ],
    ids=["authority", "host", "no file", "no certificate", "no authority", "mode", "in the clear", "no client", "other client", "other key"],
)  # fmt: skip
def test_what_cannot_be_trusted_is_refused_and_said(
    server: Server, query: str, host: str, database: str, said: str
) -> None:
    assert said in tried(dsn_of(server, query, host, database))


def test_a_server_without_tls_is_refused(postgres: str) -> None:
    assert "rejected SSL upgrade: check stores.postgres.dsn" in tried(f"{postgres}?sslmode=require")
