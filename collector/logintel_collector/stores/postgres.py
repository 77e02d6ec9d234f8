"""PostgreSQL: a connection as the configuration describes it, and its tables brought to this version."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig, PostgresConfig
from logintel_collector.stores.errors import StoreNewer
from logintel_collector.stores.migrations import migrations

#: Seconds that connecting may take, and one statement.
CONNECT: Final = 10.0
TIMEOUT: Final = 60.0
_CLOSE: Final = 3.0
#: Whoever migrates holds this advisory lock; the numbers are arbitrary, and ours.
MIGRATING: Final = 0x6C6F67_01
#: What can be wrong with a DSN, a server or a connection.
ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_DSN_IS_WRONG: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ProtocolViolationError,
)
#: Parameters of a DSN that name a file.
_TLS_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class TlsError(OSError):
    """TLS with the server is not to be had as the DSN wants it; the message says why and what to do."""


def required(config: CollectorConfig, role: str) -> PostgresConfig:
    """The configuration's database. Raises Refused where it names none."""
    if config.stores.postgres is None:
        raise Refused(f"role {role} needs stores.postgres: add it, or leave the role out of `roles`")
    return config.stores.postgres


@asynccontextmanager
async def connected(config: PostgresConfig, purpose: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed at the end; `purpose` is what pg_stat_activity shows.

    Raises Refused where the DSN cannot be read, TimeoutError, ERRORS (TlsError among them). No statement outlives its
    transaction, so that PgBouncer may give the next one another server connection.
    """
    connection = await _connect(config.dsn.get_secret_value(), purpose)
    try:
        yield connection
    finally:
        try:
            async with asyncio.timeout(_CLOSE):
                await connection.close(timeout=_CLOSE)
        except (TimeoutError, *ERRORS):
            connection.terminate()


async def _connect(dsn: str, purpose: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT,
            command_timeout=TIMEOUT,
            statement_cache_size=0,
            server_settings={"application_name": f"logintel-{purpose}"},
        )
    except ssl.SSLCertVerificationError as error:
        raise TlsError(
            f"the server's certificate is not trusted ({error.verify_message.rstrip('.')}): check sslrootcert in "
            "stores.postgres.dsn, the authority that signed it, and that the host there is a name in it"
        ) from error
    except ssl.SSLError as error:
        raise TlsError(f"{error.reason}: check sslrootcert, sslcert and sslkey in stores.postgres.dsn") from error
    except FileNotFoundError as error:
        if missing := _missing_file(dsn):
            raise TlsError(f"{missing}: no such file: check it in stores.postgres.dsn") from error
        raise
    except ValueError as error:
        raise Refused(_unreadable(error)) from None


def _missing_file(dsn: str) -> str | None:
    """`sslkey=/path` or the like, where the DSN names a file that is not there: asyncpg does not say which."""
    for key, value in parse_qsl(urlsplit(dsn).query):
        if key in _TLS_FILES and not Path(value).exists():
            return f"{key}={value}"
    return None


def _unreadable(error: ValueError) -> str:
    """What is wrong with the DSN; most messages may quote a part of it, and are not shown."""
    text = str(error).partition("\n")[0]
    if text.startswith("root certificate file"):
        return f"stores.postgres.dsn: {text}: name the authority with sslrootcert=/path/to/ca.crt"
    if text.startswith("`ssl"):
        return f"stores.postgres.dsn: {text}"
    return (
        "stores.postgres.dsn cannot be read: expected postgresql://user:password@host:port/database, "
        "with %-escapes for special characters"
    )


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Apply the steps that are missing, all or none; their names. Raises StoreNewer.

    Of several processes that migrate at once one does, and the others find it done.
    """
    steps = migrations("postgresql")
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATING)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "applied_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        version = await _version(connection)
        missing = [step for step in steps if step.version > version]
        for step in missing:
            await connection.execute(step.sql)
            await connection.execute("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", *step[:2])
    return [f"{step.version:04} {step.name}" for step in missing]


async def require_current(connection: asyncpg.Connection) -> None:
    """Raises Refused where the tables are not of this version."""
    known = migrations("postgresql")[-1].version
    async with connection.transaction():
        made = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
        current = made and await _version(connection) == known
    if not current:
        raise Refused("PostgreSQL has no tables of this version: run `logintel collector setup`")


async def _version(connection: asyncpg.Connection) -> int:
    """The last step that was applied; 0: none. Raises StoreNewer."""
    version = int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migrations"))
    if version > (known := migrations("postgresql")[-1].version):
        raise StoreNewer(
            f"PostgreSQL has tables of version {version}, this logintel knows {known}: install the newer logintel"
        )
    return version


def explained(error: Exception) -> str:
    """What is wrong and what to do, without the DSN, which holds a password."""
    if isinstance(error, TimeoutError) and not isinstance(error, asyncpg.PostgresError):
        return "no answer in time: check stores.postgres.dsn, and that it is running"
    if isinstance(error, asyncpg.PostgresError):
        message = f"{error.sqlstate} {error}".partition("\n")[0]
        return f"{message}: check stores.postgres.dsn" if isinstance(error, _DSN_IS_WRONG) else message
    if isinstance(error, TlsError):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    if isinstance(error, ConnectionError) and not error.strerror:
        # asyncpg's own: the server takes no TLS, or hung up; it names the host, never the password.
        reason = str(error) or reason
    return f"{reason}: check stores.postgres.dsn, and that it is running"
