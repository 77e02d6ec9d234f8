"""YAML as it is read for configuration: values, lines, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logintel.config.document import MAX_BYTES, MAX_VALUES, Document, Place, parse, read_yaml


def told(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


def parsed(text: str | bytes) -> Document:
    document = Document("f.yaml")
    parse(text.encode() if isinstance(text, str) else text, document)
    return document


def test_values_follow_the_core_schema_so_that_words_and_times_stay_text() -> None:
    document = parsed(
        "on: no\nat: 1:30\nday: 2026-01-01\nint: 010\nhex: 0x1f\nfloat: 1.5e3\nyes: true\nnone: ~\nempty:\n"
    )
    assert document.value == {
        "on": "no",
        "at": "1:30",
        "day": "2026-01-01",
        "int": 10,
        "hex": 31,
        "float": 1500.0,
        "yes": True,
        "none": None,
        "empty": None,
    }
    assert document.problems == []


def test_every_key_and_item_has_its_line() -> None:
    document = parsed("a: 1\nb:\n  - x\n  - c: {d: 2}\n\n1: y\n")
    assert document.places == {
        ("a",): Place("f.yaml", 1),
        ("b",): Place("f.yaml", 2),
        ("b", 0): Place("f.yaml", 3),
        ("b", 1): Place("f.yaml", 4),
        ("b", 1, "c"): Place("f.yaml", 4),
        ("b", 1, "c", "d"): Place("f.yaml", 4),
        ("1",): Place("f.yaml", 6),
    }
    assert document.place(("b", 1, "c", "gone", 3)) == Place("f.yaml", 4)


def test_an_alias_stands_for_its_value() -> None:
    assert parsed("a: &x [1, 2]\nb: *x\n").value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ["f.yaml:3: a: stands here and in line 1: remove one"]),
        ("a:\n  b: 1\n  b: 2\n", ["f.yaml:3: a.b: stands here and in line 2: remove one"]),
        (
            "a:\n\tb: 1\n",
            ["f.yaml:2: not valid YAML: found character '\\t' that cannot start any token: a tab: YAML indents with spaces only"],
        ),
        ("- a\n- b\n", ["f.yaml:1: expected keys and values (`key: value`)"]),
        ("just text\n", ["f.yaml:1: expected keys and values (`key: value`)"]),
        (
            "a: b: c\n",
            [
                ("f.yaml:1: not valid YAML: mapping values are not allowed here: "
                "put a text that holds ': ' in quotes, or mend the indentation")
            ],
        ),
        (
            'a: "\\d+"\n',
            [
                ("f.yaml:1: not valid YAML: found unknown escape character 'd': "
                "write the text in single quotes, where a backslash is a backslash")
            ],
        ),
        (
            "a: %x\n",
            ["f.yaml:1: not valid YAML: found character '%' that cannot start any token: put the value in quotes"],
        ),
        (
            "a: 1\n---\nb: 2\n",
            [
                ("f.yaml:2: not valid YAML: but found another document: "
                "a file holds one document: remove the '---' in the middle")
            ],
        ),
        (b"a: 1\nb: \xff\n", ["f.yaml:2: byte 0xff is not UTF-8: save the file as UTF-8"]),
        ("a: 1\nb: \x07\n", ["f.yaml:2: not valid YAML: character 7 may not stand in YAML"]),
        ("a: !!python/object:os.system x\n", ["f.yaml:1: a: tag tag:yaml.org,2002:python/object:os.system is not supported: remove it"]),
        ("a: !!int x\n", ["f.yaml:1: a: is no int"]),
        (f"a: {'9' * 5000}\n", ["f.yaml:1: a: is no int"]),
        ("? [a]\n: 1\n", ["f.yaml:1: a key must be a text; put {…} and […] in quotes"]),
        ("b: &b {c: 1}\na:\n  <<: *b\n", ["f.yaml:3: a: merge keys (<<) are not supported: write the keys out"]),
        ('a: "\\ud800"\n', ["f.yaml:1: a: holds half of a surrogate pair, which no text can"]),
        ('a: "x\\0y"\n', ["f.yaml:1: a: holds a NUL character, which no path can"]),
        ("a: &a [*a]\n", ["f.yaml: a[0][0][0][0][0][0][0]…: nested deeper than 64 levels"]),
        ("a: " + "[" * 1500, ["f.yaml: nested deeper than 64 levels"]),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_by_line_and_key(text: str | bytes, expected: list[str]) -> None:
    assert told(parsed(text)) == expected


def test_good_keys_beside_a_bad_one_are_read() -> None:
    assert parsed("a: 1\na: 2\nb: !x 3\nc: 4\n").value == {"a": 1, "b": "3", "c": 4}


def test_aliases_cannot_stand_for_more_values_than_memory_holds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert told(parsed("\n".join(lines))) == [f"f.yaml: stands for more than {MAX_VALUES} values, aliases followed"]


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    assert told(read_yaml(tmp_path / "none.yaml")) == [f"{tmp_path}/none.yaml: there is no such file"]
    assert told(read_yaml(tmp_path)) == [f"{tmp_path}: is a directory: name a file"]
    assert told(read_yaml(large)) == [f"{large}: is larger than {MAX_BYTES} bytes: is it the right file?"]


def test_a_file_that_this_user_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read every file, so a child process reads it as an ordinary user."""
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    Path("secret.yaml").write_text("a: 1\n")
    Path("secret.yaml").chmod(0)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            os.write(write, "\n".join(told(read_yaml("secret.yaml"))).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read() == "secret.yaml: may not be read by this user: check its owner and mode"
    os.waitpid(child, 0)


@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@example(b'a: "\\U00110000"')
@example(b"%YAML 9.9\n--- a")
@example(b"a: &a\n  b: *a")
@example(b"*a")
def test_no_content_raises(data: bytes) -> None:
    document = parsed(data)
    assert all(problem.message and problem.file == "f.yaml" for problem in document.problems)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)


@given(st.dictionaries(st.text(max_size=9), trees, max_size=5))
def test_what_json_says_is_read_as_json_means_it(tree: dict[str, object]) -> None:
    """YAML 1.2 is a superset of JSON; only the merge key and NUL are not ours."""
    text = json.dumps(tree)
    document = parsed(text)
    if "<<" not in text and "\\u0000" not in text:
        assert document.value == tree
        assert document.problems == []
