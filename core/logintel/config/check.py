"""The check: a document against a model, with pydantic's errors told as problems that name file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args
from zoneinfo import available_timezones

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from logintel.config.document import Document, Key
from logintel.config.problem import Problem, nearest
from logintel.config.section import Choice, Setting

M = TypeVar("M", bound=BaseModel)

#: pydantic's words for what it accepts, and ours.
_WORDS: Final = {
    "boolean": "true or false",
    "dictionary": "keys and values",
    "integer": "a whole number",
    "list": "a list",
    "number": "a number",
    "string": "text",
    "tuple": "a list",
}
_BEGINNINGS: Final = (
    (r"^Input should be (greater|less)", r"expected a number \1"),
    (r"^Input should (be|have) ", "expected "),
    (r"^String should match pattern ", "expected text that matches "),
    (r" after validation\b", ""),
    (r"^(String|Tuple|List|Dictionary) should have ", "expected "),
)
_KINDS: Final = ((bool, "true or false"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "keys"))


def check(model: type[M], document: Document, setting: Setting | None = None) -> tuple[M | None, list[Problem]]:
    """The model's instance, or None and every problem of the document (its own problems as YAML not among them)."""
    setting = setting or Setting()
    try:
        return model.model_validate(document.value, context=setting), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    return None, [_problem(model, document, detail, setting) for detail in details]


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails, setting: Setting) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    key = _key(document, detail["loc"], missing=kind == "missing")
    match kind:
        case "extra_forbidden":
            near = nearest(str(key[-1]), _fields(model, document, key[:-1], setting))
            return document.problem(key, f"unknown key{near}")
        case "missing":
            info = _fields(model, document, key[:-1], setting).get(str(key[-1]))
            return document.problem(
                key, f"is missing: {info.description}" if info and info.description else "is missing"
            )
        case "union_tag_not_found":
            return document.problem((*key, context["discriminator"].strip("'")), "is missing")
        case "union_tag_invalid":
            tags = re.findall(r"'([^']+)'", context["expected_tags"])
            name = context["discriminator"].strip("'")
            return document.problem((*key, name), f"unknown {name} {context['tag']!r}{nearest(context['tag'], tags)}")
        case "zoneinfo_str":
            zone = str(detail["input"])
            return document.problem(key, f"unknown time zone {zone!r}{_near_zone(zone)}")
        case "pattern_regex":
            return document.problem(key, f"is not a valid pattern: {_regex_error(detail['input'])}")
        case "string_type" if isinstance(detail["input"], int | float):
            return document.problem(key, "expected text, got a number or a boolean: put it in quotes")
    return document.problem(key, _reworded(detail))


def _key(document: Document, loc: tuple[str | int, ...], *, missing: bool) -> Key:
    """The part of pydantic's `loc` that stands in the document: it also names the members of unions."""
    value: Any = document.value
    key: Key = ()
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            continue
        key += (step,)
    return (*key, loc[-1]) if missing else key


def _reworded(detail: ErrorDetails) -> str:
    """pydantic's message in our words; most of its texts begin with "Input should be a valid"."""
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    accepted = re.match(r"Input should be a valid (\w+)", message)
    if accepted and accepted[1] in _WORDS:
        message = f"expected {_WORDS[accepted[1]]}"
        if detail["type"].endswith("_type"):
            message += f", got {_got(detail['input'])}"
    for pattern, word in _BEGINNINGS:
        message = re.sub(pattern, word, message)
    return message


def _got(value: object) -> str:
    return next((word for types, word in _KINDS if isinstance(value, types)), "nothing")


def _near_zone(zone: str) -> str:
    # The short names beside UTC ("EST") are not what someone means who writes "CEST".
    close = nearest(zone, (name for name in available_timezones() if "/" in name))
    return close if "mean" in close else "; expected a name such as Europe/Berlin or UTC"


def _regex_error(pattern: object) -> str:
    try:
        re.compile(str(pattern))
    except re.error as error:
        return str(error)
    return "it does not compile"


def _fields(model: type[BaseModel], document: Document, key: Key, setting: Setting) -> Mapping[str, FieldInfo]:
    """The fields of the models that may stand at `key`."""
    candidates: list[type[BaseModel] | Choice] = [model]
    value: Any = document.value
    for step in key:
        value = value[step]
        infos = [info for each in _chosen(candidates) if (info := each.model_fields.get(str(step)))]
        if infos:
            candidates = [
                found for info in infos for part in (info.annotation, *info.metadata) for found in _models(part)
            ]
        if isinstance(value, dict):
            resolved = [each.model(value, setting) if isinstance(each, Choice) else each for each in candidates]
            candidates = [each for each in resolved if each is not None]
    return {name: info for each in _chosen(candidates) for name, info in each.model_fields.items()}


def _chosen(candidates: list[type[BaseModel] | Choice]) -> list[type[BaseModel]]:
    return [each for each in candidates if not isinstance(each, Choice)]


def _models(annotation: Any) -> Iterator[type[BaseModel] | Choice]:
    """The models that an annotation names, however deep."""
    if isinstance(annotation, Choice) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
