"""The agent's configuration: sources by their own models, joined with sources.d, told apart by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from logintel.config.load import load, load_all
from logintel.config.problem import Misconfigured
from logintel.source import SourceConfig
from logintel_agent.config import AgentConfig

SHOP = "sources:\n  - {name: shop, type: application, paths: [/var/log/shop.log]}\n"


def problems(file: Path) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load(AgentConfig, file)
    return str(caught.value).replace(f"{file.parent}/", "").split("\n")


def written(folder: Path, **files: str) -> Path:
    """`agent` and the parts in sources.d; the path of the first."""
    (folder / "sources.d").mkdir()
    for name, text in files.items():
        (folder / ("agent.yaml" if name == "agent" else f"sources.d/{name}.yaml")).write_text(text)
    return folder / "agent.yaml"


def test_a_source_is_read_by_the_model_of_its_type(tmp_path: Path) -> None:
    file = written(tmp_path, agent="agent: {data_dir: x}\n" + SHOP)
    config = load(AgentConfig, file, data=tmp_path / "data")
    assert config.agent.data_dir == tmp_path / "data/x"
    (shop,) = config.sources
    assert isinstance(shop, SourceConfig)
    assert shop.model_dump(include={"name", "paths"}) == {"name": "shop", "paths": ("/var/log/shop.log",)}
    assert config.model_dump()["sources"][0]["paths"] == ("/var/log/shop.log",)
    assert config.plan() == ["source shop: application"]


def test_sources_of_sources_d_are_added_in_order(tmp_path: Path) -> None:
    file = written(
        tmp_path, agent=SHOP, b=SHOP.replace("shop", "bakery"), a=SHOP.replace("shop", "abbey"), c="# later\n"
    )
    loaded = load_all(AgentConfig, file)
    assert [source.name for source in loaded.config.sources] == ["shop", "abbey", "bakery"]
    assert [Path(name).name for name in loaded.files] == ["agent.yaml", "a.yaml", "b.yaml", "c.yaml"]


def test_sources_may_all_stand_in_sources_d(tmp_path: Path) -> None:
    file = written(tmp_path, agent="installation: x\n", shop=SHOP)
    assert [source.name for source in load(AgentConfig, file).sources] == ["shop"]


def test_problems_of_all_files_are_told_at_once_in_the_order_of_files(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        agent=SHOP + "  - {name: other, type: aplication}\nextra: 1\n",
        a="\nsources:\n  - name: shop\n    type: application\n    paths: []\n    tags: [1]\n",
        b="agent: {}\nsources: {}\n",
        c="sources:\n  - [x]\n  - {name: y}\n  - {type: application, path: x}\n",
        d="\tsources:\n",
    )
    assert problems(file) == [
        "agent.yaml:3: sources[1].type: unknown source type 'aplication'; did you mean 'application'?",
        "agent.yaml:4: extra: unknown key; known: agent, bus, installation, monitor, sources",
        "sources.d/a.yaml:3: sources[2].name: the name 'shop' is taken by the source at agent.yaml:2: give another",
        "sources.d/a.yaml:6: sources[2].tags[0]: expected text, got a number or a boolean: put it in quotes",
        "sources.d/b.yaml:1: agent: a file in sources.d holds the key `sources` alone",
        "sources.d/b.yaml:2: sources: expected a list",
        "sources.d/c.yaml:2: sources[3]: expected a source: keys and values, at least name and type",
        "sources.d/c.yaml:3: sources[4].type: is missing: Source type, as `logintel plugin list` shows it.",
        "sources.d/c.yaml:4: sources[5].name: is missing: Name of this source, unique in the installation.",
        "sources.d/c.yaml:4: sources[5].path: unknown key; did you mean 'paths'?",
        ("sources.d/d.yaml:1: not valid YAML: found character '\\t' that cannot start any token: "
        "a tab: YAML indents with spaces only"),
    ]  # fmt: skip


def test_sources_d_that_is_no_directory_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(SHOP)
    (tmp_path / "sources.d").write_text("")
    assert problems(tmp_path / "agent.yaml") == ["sources.d: cannot be read: Not a directory"]


@pytest.mark.parametrize("sources", ["text", "{}", "[[]]", "[~]", "[{name: [x]}]", "[{type: {}}]", "[{type: }]", "~"])
def test_no_kind_of_value_gets_past_the_check(tmp_path: Path, sources: str) -> None:
    file = written(tmp_path, agent=f"sources: {sources}\n", part=SHOP)
    assert all(line.startswith("agent.yaml:1: sources") for line in problems(file))


def test_a_format_must_be_installed(tmp_path: Path) -> None:
    file = written(tmp_path, agent=SHOP.replace("}", ", format: jsn}"))
    assert problems(file) == ["agent.yaml:2: sources[0].format: unknown format 'jsn'; did you mean 'json'?"]


def test_the_schema_names_each_source_type() -> None:
    items = AgentConfig.model_json_schema()["properties"]["sources"]["items"]["anyOf"]
    assert {"properties": {"type": {"const": "application"}}} in [part for item in items for part in item["allOf"]]


def test_a_pipe_and_an_address_belong_to_one_source(tmp_path: Path) -> None:
    receiver = "sources:\n- name: %s\n  type: application\n  stdin: true\n  listen: ['%s']\n"
    file = written(
        tmp_path,
        agent=receiver % ("a", "tcp://127.0.0.1:5514"),
        b=receiver.replace("true", "false") % ("b", "tcp://127.0.0.1:5514"),
        c=receiver % ("c", "udp://127.0.0.1:5514"),
    )
    address, pipe = problems(file)
    assert address == (
        "sources.d/b.yaml:5: sources[1].listen[0]: the address tcp://127.0.0.1:5514 is taken by the source at "
        "agent.yaml:5: choose another"
    )
    assert pipe == (
        "sources.d/c.yaml:4: sources[2].stdin: the standard input is taken by the source at agent.yaml:4: "
        "one source alone can read it"
    )


def test_the_spool_of_a_source_is_bounded_as_its_configuration_says(tmp_path: Path) -> None:
    file = written(tmp_path, agent=SHOP.replace("}", ", spool: {max_bytes: 2GiB, when_full: drop_newest}}"))
    (shop,) = load(AgentConfig, file).sources
    assert (int(shop.spool.max_bytes), shop.spool.when_full) == (2 * 1024**3, "drop_newest")
    file.write_text(SHOP.replace("}", ", spool: {max_bytes: 1kB, when_full: drop}}"))
    assert [problem.split(": ")[1] for problem in problems(file)] == [
        "sources[0].spool.max_bytes",
        "sources[0].spool.when_full",
    ]


def test_a_pipe_and_several_workers_do_not_go_together(tmp_path: Path) -> None:
    file = written(tmp_path, agent="agent: {workers: auto}\nsources:\n  - {name: a, type: application, stdin: true}\n")
    with pytest.raises(Misconfigured, match=r"sources\[0\]\.stdin: one process alone can read the standard input"):
        load(AgentConfig, file, tmp_path)
