"""Elasticsearch: one node, from the distribution that Elastic publishes for integration tests."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import zipfile
from contextlib import closing, suppress
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Final

from logintel.refused import Refused
from logintel_devstack.artifacts import fetched
from logintel_devstack.java import JAVA, JAVA_HOME
from logintel_devstack.ports import HOST
from logintel_devstack.process import Process, spawn
from logintel_devstack.server import Server

_SETTINGS: Final = """\
cluster.name: logintel-devstack
discovery.type: single-node
network.host: {host}
http.port: {client}
transport.port: {nodes}
path.data: {home}/data
path.logs: {home}/logs
path.repo: {home}/snapshots
# A developer's disk is often nearly full, which a node of production must not be.
cluster.routing.allocation.disk.threshold_enabled: false
"""
_OPEN: Final = "xpack.security.enabled: false\n"
_HEAP: Final = "512m"
#: The wheel's Java has no vector module; heap dumps and logs of the garbage collector would only fill the disk.
_UNWANTED: Final = re.compile(r"jdk\.incubator\.vector|HeapDump|-XX:ErrorFile|-Xlog:gc")
#: Analysis that the distribution lacks: the filter of the seed's log_analyzer, and what x-pack-security's index needs.
_SOURCES: Final = ("Snowball.java", "EmailAnalysis.java")
_COMPONENTS: Final = {
    "org.elasticsearch.plugin.analysis.TokenFilterFactory": {
        "snowball": "logintel.Snowball",
        "pattern_capture": "logintel.EmailAnalysis$Parts",
        "unique": "logintel.EmailAnalysis$Unique",
    },
    "org.elasticsearch.plugin.analysis.TokenizerFactory": {"uax_url_email": "logintel.EmailAnalysis$Addresses"},
}


class Elasticsearch(Server):
    """No TLS, no users: for this machine alone. It has no `GET /`; ask `/_cluster/health`."""

    name = "elasticsearch"
    version = "9.2.0"
    PORTS: ClassVar = ("client", "nodes")

    def prepare(self) -> None:
        """Write its configuration anew, beside the data."""
        shutil.rmtree(self.config, ignore_errors=True)
        self.config.mkdir()
        for file in (self._program / "config").iterdir():
            if file.is_file():
                shutil.copyfile(file, self.config / file.name)
        settings = _SETTINGS.format(host=HOST, home=self.home, **self.ports) + self.security()
        (self.config / "elasticsearch.yml").write_text(settings, "utf-8")
        options = (self.config / "jvm.options").read_text("utf-8").splitlines()
        options = [line for line in options if not _UNWANTED.search(line)]
        options += [f"-Xms{_HEAP}", f"-Xmx{_HEAP}", f"-XX:ErrorFile={self.home}/hs_err.log"]
        (self.config / "jvm.options").write_text("\n".join(options), "utf-8")
        (self.home / "tmp").mkdir(exist_ok=True)

    def start(self) -> Process:
        """Start it. Its script is run by name, since an unpacked zip has no executable files."""
        env = {
            "ES_JAVA_HOME": JAVA_HOME,
            "ES_PATH_CONF": str(self.config),
            "ES_TMPDIR": str(self.home / "tmp"),
            "ES_JAVA_OPTS": "",
        }
        return spawn(["/bin/bash", str(self._program / "bin" / "elasticsearch")], self.log, env)

    def ready(self) -> bool:
        """Whether the node has a master, itself, and has opened its indices."""
        with (
            suppress(OSError, http.client.HTTPException),
            closing(self.connection()) as connection,
        ):
            connection.request("GET", "/_cluster/health", headers=self.headers())
            answer = connection.getresponse()
            return answer.status == HTTPStatus.OK and json.loads(answer.read())["status"] != "red"
        return False

    def security(self) -> str:
        """Its settings for who may do what."""
        return _OPEN

    def connection(self) -> http.client.HTTPConnection:
        """For a request of ours."""
        return http.client.HTTPConnection(HOST, self.ports["client"], timeout=5)

    def headers(self) -> dict[str, str]:
        """Of a request of ours."""
        return {}

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self.ports['client']}"

    @property
    def config(self) -> Path:
        """Its configuration's directory."""
        return self.home / "config"

    @property
    def _program(self) -> Path:
        directory = fetched(f"elasticsearch-{self.version}", partial(_finish, self.version), *_SOURCES)
        return directory / f"elasticsearch-{self.version}"


class Elasticsearch8(Elasticsearch):
    """The last release line before: for those whose cluster is not at 9 yet."""

    name = "elasticsearch8"
    version = "8.19.0"


def _finish(version: str, directory: Path) -> None:
    """Unpack the distribution, and give it the analysis that it lacks as a stable plugin.

    https://www.elastic.co/docs/extend/elasticsearch/creating-stable-plugins: a jar, a descriptor, the named components.
    """
    archive = directory / f"elasticsearch-{version}.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(directory)
    archive.unlink()
    home = directory / f"elasticsearch-{version}"
    plugin = home / "plugins" / "analysis"
    plugin.mkdir(parents=True)
    classes = directory / "classes"
    _compile(home / "lib", next(directory.glob("ecj-*.jar")), classes)
    with zipfile.ZipFile(plugin / "analysis.jar", "w") as jar:
        for file in classes.rglob("*.class"):
            jar.write(file, file.relative_to(classes))
    (plugin / "named_components.json").write_text(json.dumps(_COMPONENTS), "utf-8")
    descriptor = ("name=analysis", "description=Some of Lucene's analysis", "version=1", "java.version=17")
    (plugin / "stable-plugin-descriptor.properties").write_text(
        "\n".join([*descriptor, f"elasticsearch.version={version}"]), "utf-8"
    )


def _compile(libraries: Path, compiler: Path, classes: Path) -> None:
    sources = [str(files("logintel_devstack") / name) for name in _SOURCES]
    path = ":".join(map(str, libraries.glob("*.jar")))  # ecj, unlike java, knows no wildcard
    command = [JAVA, "-jar", str(compiler), "-17", "-cp", path, "-d", str(classes), *sources]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise Refused(f"cannot compile Elasticsearch's analysis: {done.stderr.strip()}")
