"""The archive: a detached table as a file, which is durable before the table is dropped.

TABLE.csv.gz is what PostgreSQL's own COPY gives (CSV with a header, UTF-8, times in UTC) and takes back, compressed by
gzip: nothing but PostgreSQL is needed to read it again. Its manifest TABLE.json is written after it, and says how many
rows it has and what its SHA-256 is. Both are written under another name, fsynced and renamed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

import asyncpg
import orjson
import structlog

from logintel_collector.stores.postgres_partitions import LOCK_WAIT

#: Version of the manifest.
VERSION: Final = 1
#: Seconds without a byte after which a COPY counts as hanging; the whole of it may take as long as it has to.
STALL: Final = 120.0
_LONGEST: Final = 30 * 86_400.0
#: zlib's middle level, and its sign for a gzip header (which has no time: the same rows are the same bytes).
_LEVEL, _GZIP = 6, 31
_BLOCK: Final = 1 << 20
# Timeouts meant for queries must not end what takes long by nature. Rows come in the order in which they lie.
_SETTINGS: Final = f"""
    SET LOCAL lock_timeout = '{LOCK_WAIT}s';
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL synchronize_seqscans = off;
    SET LOCAL DateStyle = 'ISO';
    SET LOCAL TimeZone = 'UTC'
"""
# Only one at a time may archive it. Others may read it, a dump for example.
_TAKE: Final = "LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"
_DISK: Final = ThreadPoolExecutor(1, thread_name_prefix="archive")
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Manifest(NamedTuple):
    """What is said of a file: `bytes` and `sha256` are those of the compressed file."""

    version: int
    table: str
    file: str
    rows: int
    bytes: int
    sha256: str


async def archive(connection: asyncpg.Connection, table: str, directory: Path) -> Manifest | None:
    """Write the detached table to `directory` and drop it; None: somebody else does, or it is being read: try later.

    Killed at any point it leaves the table, or the whole archive; the next try goes on from there. Memory does not
    depend on the size of the table. Raises OSError, TimeoutError, asyncpg's errors; then the table is still there.
    """
    try:
        async with connection.transaction():
            await connection.execute(_SETTINGS)
            await connection.execute(_TAKE.format(table=table))
            rows = await connection.fetchval(f"SELECT count(*) FROM {table}", timeout=_LONGEST)  # noqa: S608 - ours
            manifest = await on_disk(lambda: whole(directory, table, rows), _LONGEST)
            if manifest is None:
                manifest = await _write(connection, table, directory)
            await on_disk(lambda: _forget_tries(directory, table))
            await connection.execute(f"DROP TABLE {table}")
    except (asyncpg.UndefinedTableError, asyncpg.LockNotAvailableError) as error:
        _log.info("archive_left", table=table, reason=f"{error.sqlstate} {error}".partition("\n")[0])
        return None
    return manifest


def whole(directory: Path, table: str, rows: int) -> Manifest | None:
    """The manifest of the table's archive where that has so many rows and its file is what the manifest says."""
    try:
        manifest = Manifest(**orjson.loads((directory / f"{table}.json").read_bytes()))
        with (directory / f"{table}.csv.gz").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return manifest if (manifest.rows, manifest.sha256) == (rows, digest) else None


async def _write(connection: asyncpg.Connection, table: str, directory: Path) -> Manifest:
    name = f"{table}.csv.gz"
    # A name of its own for each try: one that was thought dead, and is not, writes to its own file.
    part = await on_disk(lambda: _Part(directory / f".{name}.{secrets.token_hex(4)}.part"))
    try:
        rows = await _copy(connection, table, part)
        await on_disk(part.finish)
        await on_disk(lambda: _rename(part.path, directory / name))
    finally:
        await on_disk(part.discard)
    manifest = Manifest(VERSION, table, name, rows, part.bytes, part.digest.hexdigest())
    await on_disk(lambda: _save(directory / f"{table}.json", orjson.dumps(manifest._asdict()) + b"\n"))
    return manifest


async def _copy(connection: asyncpg.Connection, table: str, part: _Part) -> int:
    """How many rows. The server waits while a block is compressed and written."""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(STALL) as limit:

        async def take(block: bytes) -> None:
            limit.reschedule(clock() + STALL)
            await on_disk(lambda: part.write(block))

        done = await connection.copy_from_table(
            table, output=take, format="csv", header=True, encoding="utf8", timeout=_LONGEST
        )
    return int(done.split()[-1])


class _Part:
    """The file before it has its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes, self.digest = 0, hashlib.sha256()
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._file = _private(path)

    def write(self, block: bytes) -> None:
        with self._named():
            self._add(self._gzip.compress(block))

    def finish(self) -> None:
        """Compress the rest; durable but for the name."""
        with self._named():
            self._add(self._gzip.flush())
            self._file.flush()
            os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Close it, and delete what was not renamed."""
        # What is still in the buffer of a full disk is not wanted any more.
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """A full disk's error, with the path of the file."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _add(self, compressed: bytes) -> None:
        self._file.write(compressed)
        self.digest.update(compressed)
        self.bytes += len(compressed)


def _forget_tries(directory: Path, table: str) -> None:
    """Delete what killed ones have left; the names of those that were not killed too early are durable then."""
    for left in directory.glob(f".{table}.*.part"):
        left.unlink(missing_ok=True)
    _sync_names(directory)


def _save(path: Path, content: bytes) -> None:
    """Write a small file, all or nothing, and durably."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _private(scratch) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _rename(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _rename(scratch: Path, path: Path) -> None:
    """Give a file that is on the disk its name, durably."""
    scratch.replace(path)
    _sync_names(path.parent)


def _sync_names(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(path: Path) -> BinaryIO:
    """A new file, its owner's alone: events may hold anything."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=_BLOCK)


async def on_disk(call: Callable[[], T], seconds: float = STALL) -> T:
    """What waits for a disk or computes for long, one after the other; the roles of this process go on meanwhile.

    Raises TimeoutError: a file system that hangs (NFS) holds this thread alone, and no other work in threads.
    """
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().run_in_executor(_DISK, call)
