"""The rule: a row of alert_rules as a person writes it, and as it is evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from logintel.event import Json
from logintel.identity import named_id
from logintel_collector.alert import Severity
from logintel_collector.rules.conditions import (
    LATER_TYPES,
    SUPPORTED_TYPES,
    Conditions,
    MatchConditions,
    ThresholdConditions,
    not_yet,
)

#: Whether a document's source matches a query.
Predicate: TypeAlias = Callable[[dict[str, Json]], bool]


def _type_of(conditions: Any) -> str | None:
    name = conditions.get("type") if isinstance(conditions, dict) else None
    return name if isinstance(name, str) else None


def _known_type(conditions: Any) -> Any:
    if (name := _type_of(conditions)) in LATER_TYPES:
        raise not_yet(f"type {name!r}", *SUPPORTED_TYPES)
    return conditions


class RuleConfig(BaseModel):
    """A rule as written: the columns of alert_rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(description="Name of the rule, unique.", min_length=1, max_length=200)]
    description: Annotated[str, Field(description="What it means and what to do.", max_length=4000)] = ""
    query: Annotated[
        dict[str, Any],
        BeforeValidator(lambda query: {"query_string": {"query": query}} if isinstance(query, str) else query),
        Field(description="Elasticsearch Query DSL, or a Lucene query string."),
    ]
    conditions: Annotated[
        Annotated[MatchConditions, Tag("match")] | Annotated[ThresholdConditions, Tag("threshold")],
        Discriminator(
            _type_of, custom_error_type="type", custom_error_message="expected a type: " + " or ".join(SUPPORTED_TYPES)
        ),
        BeforeValidator(_known_type),
        Field(description="When matching events make an alert."),
    ]
    severity: Annotated[Severity, Field(description="LOW, MEDIUM, HIGH or CRITICAL.")]
    is_active: Annotated[bool, Field(description="Whether it is evaluated.")] = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be evaluated.

    id        UUIDv5 of (installation, name)
    revision  hash of what decides which events count together; changes to it start the windows anew
    """

    id: str
    config: RuleConfig
    predicate: Predicate
    revision: str

    @property
    def name(self) -> str:
        """As written."""
        return self.config.name

    @property
    def conditions(self) -> Conditions:
        """When matching events make an alert."""
        return self.config.conditions


def rule_from(config: RuleConfig, installation: str, predicate: Predicate) -> Rule:
    """The rule that `config` describes; `predicate` is its compiled query."""
    return Rule(named_id("rule", installation, config.name), config, predicate, _revision(config))


def _revision(config: RuleConfig) -> str:
    conditions = config.conditions.model_dump(mode="json", exclude={"suppress", "recovery"})
    parts = orjson.dumps([config.query, conditions], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(parts, digest_size=8).hexdigest()
