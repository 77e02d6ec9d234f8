"""PostgreSQL lost and restored to a moment from base backups and archived WAL; Kafka then gives what came after it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from debian_postgres import PASSWORD, Certificates, Server
from installation import Installation
from processed import part_of, send

SCRIPTS: Final = Path(__file__).parents[2] / "packaging" / "backup"
#: Seconds that anything may take on a machine that is busy.
PATIENCE: Final = 60.0


class Backups:
    """A PostgreSQL of this test's own, whose WAL is archived, and the directory of its backups; all as its user."""

    def __init__(self, home: Path) -> None:
        self.home, self.directory = home, home / "backup"
        for path in (self.directory, self.directory / "base", self.directory / "wal"):
            path.mkdir()
            shutil.chown(path, "postgres", "postgres")
        # Where the server's user may read them, wherever this checkout is.
        self._scripts = shutil.copytree(SCRIPTS, home / "scripts")
        self.server = Server(home)
        self.server.prepare()
        command = f"{self._scripts}/archive-wal %p {self.directory}/wal/%f"
        with (self.server.data / "postgresql.conf").open("a") as settings:
            settings.write(f"archive_mode = on\narchive_command = '{command}'\n")
        self.server.start()
        self.server.sql(f"CREATE ROLE logintel LOGIN SUPERUSER PASSWORD '{PASSWORD}'")

    @property
    def address(self) -> str:
        tls = f"sslmode=verify-full&sslrootcert={self.home}/ca.crt"
        return f"postgresql://logintel:{PASSWORD}@localhost:{self.server.port}/postgres?{tls}"

    def script(self, name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of packaging/backup, as docs/backup.md says."""
        environment = {
            "PATH": f"{self.server.programs}:{os.environ['PATH']}",
            "PGHOST": str(self.home), "PGPORT": str(self.server.port), "PGUSER": "postgres",
        }  # fmt: skip
        return subprocess.run(
            [self._scripts / name, *words], env=environment, user="postgres", group="postgres", extra_groups=[],
            cwd=self.home, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def base_backup(self, keep: int) -> list[str]:
        """Make one; the names of those that there are then."""
        done = self.script("base-backup", self.directory, str(keep))
        assert done.returncode == 0, done.stderr
        return sorted(path.name for path in (self.directory / "base").iterdir())

    def lose_and_restore(self, moment: str) -> None:
        """The server is killed and its data are gone; others take their place."""
        self.server.end(signal.SIGQUIT)
        shutil.rmtree(self.server.data)
        done = self.script("restore", self.directory, self.server.data, moment)
        assert done.returncode == 0, done.stderr
        self.server.start()
        deadline = time.monotonic() + PATIENCE
        while self.server.sql("SELECT pg_is_in_recovery()") == "t":
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def archived(self) -> None:
        """Wait until all WAL written so far is in the archive."""
        segment = self.server.sql("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + PATIENCE
        while not (self.directory / "wal" / segment).exists():
            assert time.monotonic() < deadline, segment
            time.sleep(0.1)

    def wal(self) -> list[str]:
        """The segments in the archive."""
        return sorted(path.name for path in (self.directory / "wal").iterdir() if len(path.name) == 24)


@pytest.fixture
def backups() -> Iterator[Backups]:
    home = Path(tempfile.mkdtemp(prefix="logintel-backup-"))
    Certificates(home)
    for path in (home, *home.iterdir()):
        shutil.chown(path, "postgres", "postgres")
    made = Backups(home)
    yield made
    made.server.end(signal.SIGQUIT)
    shutil.rmtree(home)


@pytest.fixture
def recorder(kafka: str, backups: Backups, tmp_path: Path) -> Installation:
    """An installation whose one role is the recorder; its tables are in the database postgres."""
    made = Installation(tmp_path, {"kafka": kafka}, f"test-{secrets.token_hex(5)}")
    settings = {
        "installation": made.name,
        "bus": {"kafka": {"bootstrap_servers": [kafka]}},
        "stores": {"postgres": {"dsn": backups.address}},
        "roles": ["recorder"],
    }
    made.collector.write_text(yaml.safe_dump(settings))
    made.finished("collector", "setup", "--config", made.collector)
    return made


def test_it_is_as_it_was_at_a_moment_and_kafka_gives_the_rest(
    kafka: str, backups: Backups, recorder: Installation
) -> None:
    """Before the moment: all there. After it: gone, until the recorder reads it once more; then nothing twice."""

    def recorded(first: int) -> list[str]:
        part = part_of("shop", first, 200)
        asyncio.run(send(kafka, [part]))
        recorder.collect_once()
        return [document.log_id for document, _ in part]

    def stored() -> list[str]:
        return sorted(backups.server.sql("SELECT log_id FROM log_entries").split())

    def rewound(to: str) -> str:
        words = ("--config", str(recorder.collector), "--role", "recorder", "--to", to)
        said = recorder.finished("collector", "rewind", *words).stdout
        recorder.collect_once()
        return said

    before = recorded(1)
    backups.base_backup(keep=2)
    until = before + recorded(1000)
    moment = backups.server.sql("SELECT clock_timestamp()")
    after = recorded(2000)
    assert stored() == sorted(until + after)
    backups.archived()
    backups.lose_and_restore(moment)
    assert stored() == sorted(until)
    recorder.collect_once()
    assert stored() == sorted(until), "the group thinks that the rest is stored"
    assert rewound(moment) == f"group {recorder.name}-recorder: reads 200 records of log-processing once more\n"
    assert stored() == sorted(until + after)
    assert rewound("2000-01-01") == f"group {recorder.name}-recorder: reads 600 records of log-processing once more\n"
    assert stored() == sorted(until + after), "what is there already stays as it is, and once"


def test_old_backups_go_and_no_wal_that_the_others_need(backups: Backups) -> None:
    backups.server.sql("CREATE TABLE orders AS SELECT 1 AS number")
    (first,) = backups.base_backup(keep=2)
    _, second = backups.base_backup(keep=2)
    backups.archived()
    needed = backups.wal()
    backups.server.sql("INSERT INTO orders VALUES (2)")
    kept = backups.base_backup(keep=2)
    assert (len(kept), kept[0]) == (2, second)
    assert first not in kept
    backups.archived()
    assert backups.wal()[0] > needed[0]
    backups.lose_and_restore("latest")
    assert backups.server.sql("SELECT count(*) FROM orders") == "2"


def test_what_cannot_be_restored_is_refused(backups: Backups) -> None:
    (name,) = backups.base_backup(keep=2)
    early = backups.script("restore", backups.directory, backups.home / "new", "2000-01-01 00:00:00+00")
    assert (early.returncode, "ended before 2000" in early.stderr) == (1, True)
    occupied = backups.script("restore", backups.directory, backups.server.data, "latest")
    assert (occupied.returncode, "move it aside" in occupied.stderr) == (2, True)
    (backups.directory / "base" / name / "PG_VERSION").write_text("19\n")
    damaged = backups.script("restore", backups.directory, backups.home / "new", "latest")
    assert damaged.returncode == 1
    assert "PG_VERSION" in damaged.stderr
    assert not (backups.home / "new").exists()


@pytest.mark.parametrize("there", [None, b"segment", b"another"])
def test_a_segment_is_archived_once_and_never_over_another(tmp_path: Path, there: bytes | None) -> None:
    segment, copy = tmp_path / "segment", tmp_path / "000000010000000000000001"
    segment.write_bytes(b"segment")
    (tmp_path / f"{copy.name}.part.1").write_bytes(b"seg")  # of one that was killed
    if there is not None:
        copy.write_bytes(there)
    done = subprocess.run([SCRIPTS / "archive-wal", segment, copy], capture_output=True, text=True, check=False)
    if there == b"another":
        assert done.returncode == 1
        assert f"{copy} cannot be made, or is another segment" in done.stderr
        assert copy.read_bytes() == b"another"
    else:
        assert done.returncode == 0, done.stderr
        assert copy.read_bytes() == b"segment"
    missing = [SCRIPTS / "archive-wal", segment, tmp_path / "no directory" / "segment"]
    assert subprocess.run(missing, capture_output=True, check=False).returncode == 1
