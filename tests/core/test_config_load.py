"""A configuration file against its model: every problem at once, by file, line and key; references and paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from logintel.config.load import load, load_all
from logintel.config.problem import Misconfigured
from logintel.config.section import ConfigPath, Section, defaults
from logintel.config.shared import SharedConfig
from logintel.config.whole import shown
from logintel.duration import Duration
from logintel.size import Size


class Mail(Section):
    """A channel."""

    type: Literal["mail"]
    password: SecretStr


class Pager(Section):
    """Another channel."""

    type: Literal["pager"]
    key: Annotated[str, Field(description="The key that the service gave.")]


class Inner(Section):
    """Keys of all kinds."""

    every: Duration = Duration("30s")
    room: Size = Size("1MiB")
    zone: ZoneInfo = ZoneInfo("UTC")
    pattern: re.Pattern[str] | None = None
    text: str = ""
    count: Annotated[int, Field(ge=1)] = 1
    on: bool = False
    words: tuple[str, ...] = ()
    by_name: Mapping[str, Pager] = {}


class Example(SharedConfig):
    """A component's configuration."""

    inner: Annotated[Inner, Field(default_factory=defaults)]
    folder: ConfigPath = Path("rules.d")
    notify: tuple[Annotated[Mail | Pager, Field(discriminator="type")], ...] = ()


def problems(tmp_path: Path, text: str) -> list[str]:
    """What loading says of `text`, without the folder's name."""
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load(Example, tmp_path / "c.yaml")
    return str(caught.value).replace(f"{tmp_path}/", "").split("\n")


def loaded(tmp_path: Path, text: str) -> Example:
    (tmp_path / "c.yaml").write_text(text)
    return load(Example, tmp_path / "c.yaml", data=tmp_path / "data")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("innre: {}", "innre: unknown key; did you mean 'inner'?"),
        ("bus: {kafak: {}}", "bus.kafak: unknown key; did you mean 'kafka'?"),
        ("inner: [1]", "inner: expected keys and values, got a list"),
        ("inner: text", "inner: expected keys and values, got text"),
        ("inner: {txt: x}", "inner.txt: unknown key; did you mean 'text'?"),
        ("inner: {text: 1.10}", "inner.text: expected text, got a number or a boolean: put it in quotes"),
        ("inner: {text: true}", "inner.text: expected text, got a number or a boolean: put it in quotes"),
        ("inner: {text: [a]}", "inner.text: expected text, got a list"),
        ("inner: {text: }", "inner.text: expected text, got nothing"),
        ("inner: {words: a}", "inner.words: expected a list, got text"),
        ("inner: {words: [a, {b: c}]}", "inner.words[1]: expected text, got keys"),
        ("inner: {count: 0}", "inner.count: expected a number greater than or equal to 1"),
        ("inner: {count: x}", "inner.count: expected a whole number"),
        ("inner: {on: perhaps}", "inner.on: expected true or false"),
        ("inner: {every: 30}", "inner.every: expected a duration with its unit, such as 30s"),
        (
            "inner: {every: soon}",
            "inner.every: expected a duration such as 30s, 5m, 1h30m, 250ms or 2d, got 'soon'",
        ),
        ("inner: {room: 5 GBs}", "inner.room: expected a size such as 64MiB, 5GB or a number of bytes, got '5 GBs'"),
        ("inner: {zone: Europe/Berln}", "inner.zone: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        (
            "inner: {zone: CEST}",
            "inner.zone: unknown time zone 'CEST'; expected a name such as Europe/Berlin or UTC",
        ),
        (
            "inner: {pattern: 'a(b'}",
            "inner.pattern: is not a valid pattern: missing ), unterminated subpattern at position 1",
        ),
        ("inner: {by_name: {x: {type: pager, kye: a, key: b}}}", "inner.by_name.x.kye: unknown key; did you mean 'key'?"),
        (
            "folder: ~no-such-user/rules",
            "folder: no home directory is known for '~no-such-user': write the whole path",
        ),
        ("notify: [{type: pagr}]", "notify[0].type: unknown type 'pagr'; did you mean 'pager'?"),
        ("notify: [{url: x}]", "notify[0].type: is missing"),
        ("notify: [{type: pager}]", "notify[0].key: is missing: The key that the service gave."),
        ("installation: a b", "installation: expected text that matches '^[\\w.-]{1,100}$'"),
    ],
)  # fmt: skip
def test_each_problem_names_the_key_and_what_to_do(tmp_path: Path, line: str, expected: str) -> None:
    assert problems(tmp_path, f"# a comment\n{line}\n") == [f"c.yaml:2: {expected}"]


def test_all_problems_of_a_file_are_told_at_once_in_its_order(tmp_path: Path) -> None:
    text = """\
inner:
  text: 1
  text: 2
  zone: Nowhere
  every: ${env:LOGINTEL_TEST_UNSET}
notify:
  - type: mail
    pasword: x
installation: ${evn:X}
wrong: 1
"""
    assert problems(tmp_path, text) == [
        "c.yaml:2: inner.text: expected text, got a number or a boolean: put it in quotes",
        "c.yaml:3: inner.text: stands here and in line 2: remove one",
        "c.yaml:4: inner.zone: unknown time zone 'Nowhere'; expected a name such as Europe/Berlin or UTC",
        "c.yaml:5: inner.every: ${env:LOGINTEL_TEST_UNSET}: environment variable LOGINTEL_TEST_UNSET is not set",
        "c.yaml:7: notify[0].password: is missing",
        "c.yaml:8: notify[0].pasword: unknown key; did you mean 'password'?",
        "c.yaml:9: installation: ${evn:X}: unknown kind of reference 'evn'; did you mean 'env'?",
        "c.yaml:10: wrong: unknown key; known: bus, folder, inner, installation, monitor, notify",
    ]


def test_an_empty_file_is_a_mistake(tmp_path: Path) -> None:
    assert problems(tmp_path, "# nothing yet\n") == ["c.yaml: is empty: write at least `sources:` with one source"]


def test_values_as_written_reach_the_model(tmp_path: Path) -> None:
    inner = loaded(tmp_path, "inner: {every: 1h30m, room: 2KiB, on: yes, zone: Europe/Berlin, text: no}").inner
    assert (inner.every, inner.room, inner.on, inner.zone.key, inner.text) == (
        5400.0,
        2048,
        True,
        "Europe/Berlin",
        "no",
    )


def test_state_is_relative_to_the_data_directory_and_configuration_to_its_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, "installation: x")
    assert (config.bus.local.dir, config.folder) == (tmp_path / "data/bus", tmp_path / "rules.d")
    config = loaded(tmp_path, "bus: {local: {dir: other}}\nfolder: /abs")
    assert (config.bus.local.dir, config.folder) == (tmp_path / "data/other", Path("/abs"))


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert load(SharedConfig).bus.local.dir == tmp_path / "logintel/bus"
    monkeypatch.setenv("XDG_STATE_HOME", "relative is invalid")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(SharedConfig).bus.local.dir == tmp_path / ".local/state/logintel/bus"


def test_references_stand_for_the_environment_files_and_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGINTEL_TEST_COUNT", "7")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "key").write_text("s3cr3t\n")
    config = loaded(
        tmp_path,
        "inner: {count: '${env:LOGINTEL_TEST_COUNT}', text: 'a ${file:key} $${b}'}\n"
        "notify: [{type: mail, password: '${credential:key}'}]\n",
    )
    assert (config.inner.count, config.inner.text) == (7, "a s3cr3t ${b}")
    mail = config.notify[0]
    assert isinstance(mail, Mail)
    assert mail.password.get_secret_value() == "s3cr3t"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("${file:none}", "cannot be read: No such file or directory"),
        ("${file:.}", "cannot be read: Is a directory"),
        ("${credential:x}", "$CREDENTIALS_DIRECTORY is not set: it is there when systemd starts us"),
        ("${HOME}", "expected ${env:NAME}, ${file:PATH} or ${credential:NAME}; write $${ for ${"),
        ("${env:HOME", "expected ${env:NAME}, ${file:PATH} or ${credential:NAME}; write $${ for ${"),
    ],
)
def test_a_reference_that_stands_for_nothing_is_a_problem_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, reason: str
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert problems(tmp_path, f"\ninner: {{text: '{reference}'}}") == [f"c.yaml:2: inner.text: {reference}: {reason}"]


KEYS = [
    "installation",
    "inner",
    "inner.text",
    "inner.every",
    "inner.room",
    "inner.zone",
    "inner.pattern",
    "inner.count",
]
WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)


@given(
    secret=WORDS.map(lambda text: f"hidden-{text}-hidden"),
    key=st.sampled_from([*KEYS, "notify", "folder", "inner.words"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_secret_is_shown_in_a_message_a_repr_or_the_shown_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, key: str
) -> None:
    monkeypatch.setenv("LOGINTEL_TEST_SECRET", secret)
    value = "'${env:LOGINTEL_TEST_SECRET}'"
    if key == "inner.words":
        value = f"[b, {value}, a]"
    outer, _, name = key.partition(".")
    (tmp_path / "c.yaml").write_text(f"{outer}: {{{name}: {value}}}" if name else f"{outer}: {value}")
    try:
        found = load_all(Example, tmp_path / "c.yaml")
    except Misconfigured as error:
        told = str(error)
        assert key in told
    else:
        told = f"{found.config!r} {found.config} {shown(found)}"
        assert "${env:LOGINTEL_TEST_SECRET}" in told
    assert "hidden-" not in told


def test_a_password_written_in_the_file_is_not_shown_either(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("notify: [{type: mail, password: hunter2}]")
    found = load_all(Example, tmp_path / "c.yaml")
    assert "hunter2" not in f"{found.config!r} {shown(found)}"


LINES = st.sampled_from(
    [
        "inner:", "  text: ", "  every: 5m", "  words: [a, ", "b]", "notify:", "  - type: pager", "    key: x", "bus: {local: {", "}}",
        "folder: ~", "? x", "- ", "  zone: 1", "  by_name: {a: {type: ", "&a", "*a", "'", "${env:X}", "!!int", "\t", "1e999", "installation: x",
    ]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=8), max_size=8).map("\n".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_misconfigured(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(Example, tmp_path / "c.yaml")
    except Misconfigured as error:
        found = error.problems
    else:
        return
    assert found
    assert all(problem.file == str(tmp_path / "c.yaml") and problem.message for problem in found)
