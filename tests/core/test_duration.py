"""Durations and sizes: their values, their texts, and what is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from logintel.duration import Duration
from logintel.size import Size


class Model(BaseModel):
    every: Duration = Duration("1m")
    room: Size = Size("1MiB")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800), ("1.5s", 1.5), ("0s", 0)],
)
def test_a_duration_is_its_seconds(text: str, seconds: float) -> None:
    assert Duration(text) == pytest.approx(seconds)
    assert f"{Duration(text)}" == str(Duration(text)) == text


@pytest.mark.parametrize("text", ["", "30", "s", "-5s", "5 s", "5sec", "1h 30m", "1e3s", "٣s", "9" * 400 + "s", "5s\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        Duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("64MiB", 64 * 2**20),
        ("5GB", 5 * 10**9),
        ("1.5 KiB", 1536),
        ("1kB", 1000),
        ("2TiB", 2**41),
        ("7B", 7),
    ],
)
def test_a_size_is_its_bytes(text: str, size: int) -> None:
    assert Size(text) == size
    assert str(Size(text)) == text


@pytest.mark.parametrize("text", ["", "MiB", "-1", "5 GBs", "1mB", "1iB", "1.5B", "1e9", "9" * 400, "5GB\n"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as"):
        Size(text)


@given(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h", "d"]), st.integers(0, 10**15 - 1))
def test_a_model_takes_and_gives_the_texts(number: int, unit: str, size: int) -> None:
    model = Model.model_validate({"every": f"{number}{unit}", "room": size})
    assert model.room == size
    assert Model.model_validate_json(model.model_dump_json()) == model
    assert model.model_dump(mode="json")["every"] == f"{number}{unit}"


def test_the_largest_sizes_are_exact() -> None:
    assert Size("999999999999999TiB") == 999999999999999 * 2**40


@pytest.mark.parametrize("value", [True, [], None, 5])
def test_a_model_refuses_other_kinds(value: object) -> None:
    with pytest.raises(ValidationError):
        Model.model_validate({"every": value})


@pytest.mark.parametrize("value", [True, [], None, -5, 1.5])
def test_a_size_is_whole_and_not_negative(value: object) -> None:
    with pytest.raises(ValidationError):
        Model.model_validate({"room": value})
