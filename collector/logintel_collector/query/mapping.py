"""The mapping: what an index makes of each field, compiled from Elasticsearch's `{settings, mappings}`."""

from __future__ import annotations

from collections.abc import Mapping as Object
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from logintel_collector.query.analysis import Analyzer
from logintel_collector.query.glob import glob_parts, glob_test
from logintel_collector.query.product import PRODUCT_MAPPING
from logintel_collector.query.reading import TextReader

Kind: TypeAlias = Literal[
    "keyword", "text", "whole", "float", "boolean", "date", "ip", "geo", "opaque", "object", "nested", "dynamic"
]

#: Elasticsearch's name of a document's id.
ID: Final = "_id"
_WHOLE: Final = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_FLOAT: Final = {"float": 32, "double": 64}
_STANDARD: Final = Analyzer()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the index.

    path          its name in queries, `message.keyword`
    source        the keys that lead to its value in the document, ("message",)
    kind          whole: byte to long; opaque: only its existence can be asked; dynamic: not in the mapping yet,
                  its values are taken as the type they would get
    bits          width of a whole or float
    ignore_above  longest indexed value in UTF-16 units; None: no limit
    analyzer      of a text field
    lowercase     a keyword whose normalizer lowers it
    strict        take only values whose JSON type is the field's own (a view of a dynamic field)
    """

    path: str
    source: tuple[str, ...]
    kind: Kind
    bits: int = 64
    ignore_above: int | None = None
    analyzer: Analyzer = _STANDARD
    lowercase: bool = False
    strict: bool = False

    @property
    def type_name(self) -> str:
        """Elasticsearch's name of the field's type."""
        if self.kind == "whole":
            return {8: "byte", 16: "short", 32: "integer"}.get(self.bits, "long")
        if self.kind == "float":
            return "float" if self.bits == 32 else "double"
        return {"opaque": "of another kind", "geo": "geo_point"}.get(self.kind, self.kind)


class Mapping:
    """Field path → Field, and the readers of text that queries over the same mapping share."""

    def __init__(self, fields: Object[str, Field], rules: Object[str, Field], default_fields: tuple[str, ...]) -> None:
        """`rules`: path of an object that takes unknown keys ("" is the root) → what a string in it becomes.

        `default_fields`: what a text looks into that names no field; `*`: into all.
        """
        self.fields = fields
        self.default_fields = default_fields
        self._rules = rules
        self._readers: dict[tuple[tuple[str, ...], Analyzer, bool], TextReader] = {}

    def field(self, path: str) -> Field | None:
        """The field of that name; kind `dynamic` where it would be made by its first document; None: never indexed."""
        return self.fields.get(path) or self._unseen(path)

    def views(self, unseen: Field) -> tuple[Field, ...]:
        """A dynamic field as each of the types that a JSON value would give it."""
        string = replace(self._rule(unseen.path), path=unseen.path, source=unseen.source, strict=True)
        return (string, replace(string, kind="float"), replace(string, kind="boolean"))

    def reader(self, text: Field) -> TextReader:
        """The reader of a text field, shared by all queries: it analyses a document once."""
        key = (text.source, text.analyzer, text.strict)
        if key not in self._readers:
            self._readers[key] = TextReader(*key)
        return self._readers[key]

    def matching(self, pattern: str) -> list[Field]:
        """The fields of the mapping whose names fit a pattern with `*`; of `*` alone, those that can be searched."""
        fits = glob_test(glob_parts(pattern))
        kinds = ("object", "nested", "geo", "opaque") if pattern == "*" else ("object", "nested")
        return [known for name, known in self.fields.items() if known.kind not in kinds and name != ID and fits(name)]

    def _unseen(self, path: str) -> Field | None:
        parts = tuple(path.split("."))
        if "" in parts:
            return None
        parents = [".".join(parts[:size]) for size in range(len(parts) - 1, -1, -1)]
        for parent in parents:
            known = self.fields.get(parent)
            if known is not None and known.kind != "object":
                return None
            if parent in self._rules:
                return self._made(path, parts, self._rules[parent])
            if known is not None:
                return None
        return None

    def _made(self, path: str, parts: tuple[str, ...], rule: Field) -> Field:
        """What a dynamic rule makes of `path`; the default rule also gives each string a `.keyword`."""
        if rule.kind == "text" and parts[-1] == "keyword" and len(parts) > 1:
            return Field(path, parts[:-1], "keyword", ignore_above=256, strict=True)
        return Field(path, parts, "dynamic")

    def _rule(self, path: str) -> Field:
        parts = path.split(".")
        names = (".".join(parts[:size]) for size in range(len(parts) - 1, -1, -1))
        return next(self._rules[name] for name in names if name in self._rules)


@cache
def product_mapping() -> Mapping:
    """The mapping of engineering_logs-*; one object, so that its queries share their readers."""
    return mapping_from(PRODUCT_MAPPING, "log_id")


def mapping_from(body: Object[str, Any], id_key: str = ID) -> Mapping:
    """Compile `{settings, mappings}` as Elasticsearch takes and gives it. Raises ValueError for unknown analysis.

    `id_key`: where a document has what Elasticsearch calls its _id.
    """
    settings = body.get("settings", {})
    mappings = body.get("mappings", {})
    builder = _Builder(settings.get("analysis", {}), _string_rule(mappings.get("dynamic_templates", [])))
    builder.object("", mappings, dynamic=True)
    builder.fields[ID] = Field(ID, (id_key,), "keyword")
    default = settings.get("index", {}).get("query", {}).get("default_field", [])
    return Mapping(builder.fields, builder.rules, tuple([default] if isinstance(default, str) else default) or ("*",))


def _string_rule(templates: list[dict[str, Any]]) -> Field:
    """What a string becomes in a dynamic object; Elasticsearch's default is text with a `.keyword`."""
    for template in templates:
        for rule in template.values():
            if rule.get("match_mapping_type") == "string" and rule["mapping"].get("type") == "keyword":
                return Field("", (), "keyword", ignore_above=rule["mapping"].get("ignore_above"))
    return Field("", (), "text")


@dataclass(slots=True)
class _Builder:
    """Walks the properties of a mapping."""

    analysis: Object[str, Any]
    rule: Field
    fields: dict[str, Field] = field(default_factory=dict)
    rules: dict[str, Field] = field(default_factory=dict)

    def object(self, path: str, body: Object[str, Any], *, dynamic: bool) -> None:
        dynamic = str(body.get("dynamic", dynamic)).lower() == "true"
        if dynamic:
            self.rules[path] = self.rule
        if path:
            self.fields[path] = Field(path, tuple(path.split(".")), "object")
        for name, child in body.get("properties", {}).items():
            self.child(f"{path}.{name}" if path else name, child, dynamic=dynamic)

    def child(self, path: str, body: Object[str, Any], *, dynamic: bool) -> None:
        if "properties" in body or body.get("type") == "object":
            self.object(path, body, dynamic=dynamic)
            if body.get("type") == "nested":
                self.fields[path] = Field(path, tuple(path.split(".")), "nested")
            return
        source = tuple(path.split("."))
        self.fields[path] = self.leaf(path, source, body)
        for name, part in body.get("fields", {}).items():
            self.fields[f"{path}.{name}"] = self.leaf(f"{path}.{name}", source, part)

    def leaf(self, path: str, source: tuple[str, ...], body: Object[str, Any]) -> Field:
        kind = body.get("type", "object")
        if kind in _WHOLE:
            return Field(path, source, "whole", bits=_WHOLE[kind])
        if kind in _FLOAT:
            return Field(path, source, "float", bits=_FLOAT[kind])
        if kind == "keyword":
            lowercase = self.lowers(path, body.get("normalizer"))
            return Field(path, source, "keyword", ignore_above=body.get("ignore_above"), lowercase=lowercase)
        if kind == "text":
            return Field(path, source, "text", analyzer=self.analyzer(path, body.get("analyzer", "standard")))
        if kind in ("boolean", "date", "ip"):
            return Field(path, source, kind)
        if kind == "geo_point":
            return Field(path, source, "geo")
        return Field(path, source, "opaque")

    def lowers(self, path: str, name: str | None) -> bool:
        filters = self.analysis.get("normalizer", {}).get(name, {}).get("filter", []) if name else []
        if filters not in ([], ["lowercase"]):
            raise ValueError(f"{path}: normalizer {name!r} has filters {filters}; known: lowercase")
        return bool(filters)

    def analyzer(self, path: str, name: str) -> Analyzer:
        if name == "standard":
            return _STANDARD
        body = self.analysis.get("analyzer", {}).get(name)
        filters = body.get("filter", []) if body else None
        known = [["lowercase", "stop", "snowball"][:size] for size in range(4)]
        if filters not in known or body.get("tokenizer") != "standard":
            raise ValueError(f"{path}: analyzer {name!r} is not the standard tokenizer with lowercase, stop, snowball")
        return Analyzer("lowercase" in filters, "stop" in filters, "snowball" in filters)
