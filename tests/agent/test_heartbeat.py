"""The heartbeat: bounded, whatever an agent reads, and with nothing in it that is a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import STATUS
from logintel.config.shared import KafkaBusConfig
from logintel.hooks import load_plugins
from logintel.inputs.files import FileInput
from logintel.source import SourceConfig, SourceContext
from logintel.standing import Place, Standing
from logintel_agent.backlog import backlog, joined
from logintel_agent.self_description import described
from logintel_agent.status_report import ROOM, SOURCES, StatusReport


class Kept(Sender):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__(KafkaBusConfig(bootstrap_servers=("127.0.0.1:9",)), STATUS)
        self.sent: list[Message] = []

    async def send(self, messages: Sequence[Message], partitions: Iterable[int | None] = ()) -> None:
        self.sent += messages


def reported(sources: list[dict[str, Any]], times: int = 1) -> list[Message]:
    async def describe() -> dict[str, Any]:
        return {"bus": {"trouble": None}, "sources": [dict(source) for source in sources]}

    async def run() -> list[Message]:
        sender = Kept()
        report = StatusReport(sender, "test", 0, lambda: "v1", describe, lambda: sources)
        for _ in range(times):
            await report.report(stopped=True)
        return sender.sent

    return asyncio.run(run())


def source(number: int, standing: Standing) -> dict[str, Any]:
    return {
        "id": f"{number:08}",
        "name": "n" * 100,
        "dropped": {},
        "last_error": {"at": "x", "text": "e" * 10_000},
        **backlog([standing], 0),
    }


def test_5000_streams_are_five_in_the_heartbeat() -> None:
    streams = {f"/var/log/{'d' * 300}/{number}.log": Place(number, 10 * number) for number in range(5000)}
    troubles = {f"/var/log/{'t' * 300}/{number}": "Permission denied" for number in range(1000)}
    (beat, description) = reported([source(1, Standing("bytes", streams, troubles))])
    assert len(beat[1] or b"") < 5000
    assert orjson.loads(description[0] or b"") == ["test", orjson.loads(beat[0] or b"")[1], "0", "config"]
    (said,) = orjson.loads(beat[1] or b"")["sources"]
    assert said["lag_bytes"] == 10 * sum(range(5000))
    assert [stream["behind"] for stream in said["worst"]] == [49990, 49980, 49970, 49960, 49950]
    assert (len(said["troubles"]), said["troubled"]) == (5, 1000)
    assert len(said["last_error"]["text"]) == 500


def test_any_number_of_sources_fits() -> None:
    streams = {f"/var/log/{'d' * 300}/{number}.log": Place(0, number) for number in range(1, 6)}
    many = [source(number, Standing("bytes", streams)) for number in range(1500)]
    for message in reported(many):
        values = orjson.loads(message[1] or b"")
        assert len(message[1] or b"") <= ROOM
        assert (len(values["sources"]), values["sources_left_out"]) == (SOURCES, 500)


def test_what_an_agent_is_is_told_when_its_configuration_changes_and_not_each_time() -> None:
    kinds = [orjson.loads(message[1] or b"")["kind"] for message in reported([], times=3)]
    assert kinds == ["agent", "config", "agent", "agent"]


def test_two_workers_of_a_source_are_one() -> None:
    one = backlog([Standing("bytes", {"a": Place(1, 5)}, {"x": "no"})], 7)
    other = backlog([Standing("bytes", {"b": Place(2, 9)}, {"x": "no"}), Standing("records", {"c": Place(0, 1)})], 0)
    both = joined(one, other)
    assert (both["lag_bytes"], both["lag_records"], both["troubled"]) == (21, 1, 1)
    assert [stream["stream"] for stream in both["worst"]] == ["b", "a", "c"]
    assert backlog([], 0)["lag_bytes"] is None


def test_only_keys_that_hold_no_secret_are_told() -> None:
    class Secretive(SourceConfig):
        url: str
        token: SecretStr
        paths: tuple[str, ...] = ()

    plugins = load_plugins()
    config = Secretive(
        name="a", type="b", url="https://u:hunter2@h", token=SecretStr("hunter2"), paths=("/x",), service="web"
    )
    said = described(config, plugins.sources["application"])
    assert said["configuration"] == {"paths": ["/x"], "service": "web"}
    assert said["description"].startswith("Log files of applications")
    assert b"hunter2" not in orjson.dumps(said)


def test_files_say_how_much_of_them_is_unread_also_while_nobody_reads(tmp_path: Path) -> None:
    path, gone = tmp_path / "a.log", tmp_path / "gone.log"
    path.write_text("one\n")
    plugins = load_plugins()
    keys = {"name": "shop", "type": "application", "format": "plain", "paths": [str(path), str(gone)]}
    config = plugins.sources["application"].Config.model_validate(keys)

    async def scenario() -> None:
        files = FileInput(config, SourceContext(formats=plugins.formats, report=lambda _: None))  # type: ignore[arg-type]
        batches = files.batches({})
        while not (await anext(batches)).events:
            pass
        assert dict(files.standing().troubles) == {str(gone): "No such file or directory"}
        with path.open("a") as more:
            more.write("two\n" * 100)
        ((name, place),) = files.standing().streams.items()
        assert name.startswith("a.log")
        assert place == Place(4, 400)
        gone.write_text("here\n")
        while files.standing().troubles or any(place.behind for place in files.standing().streams.values()):
            await anext(batches)
        await batches.aclose()

    asyncio.run(scenario())
