"""Conditions: when events that match a rule's query make an alert. Version 1, types match and threshold.

A key declared with type None belongs to the full specification and is not supported yet; it is refused by name.
"""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from logintel.duration import Duration
from logintel_collector.alert import Severity

SUPPORTED_TYPES: Final = ("match", "threshold")
LATER_TYPES: Final = ("spike", "ratio", "absence", "new_value", "change", "sequence")


def _is_positive(duration: Duration) -> Duration:
    if duration <= 0:
        raise ValueError("expected a duration above zero")
    return duration


def _in_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def not_yet(value: object, *supported: str) -> PydanticCustomError:
    """The error for something that the specification knows and this version does not."""
    detail = {"value": str(value), "supported": ", ".join(supported)}
    return PydanticCustomError("not_yet", "{value} is not supported yet; supported: {supported}", detail)


PositiveDuration: TypeAlias = Annotated[Duration, AfterValidator(_is_positive)]


class Block(BaseModel):
    """A mapping of the specification: unknown keys are errors, those that come later are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_later(cls, value: Any, info: ValidationInfo) -> Any:
        fields = cls.model_fields
        name = info.field_name or ""
        if fields[name].annotation is not NoneType:
            return value
        supported = [field.alias or key for key, field in fields.items() if field.annotation is not NoneType]
        raise not_yet(fields[name].alias or name, *supported)


class Window(Block):
    """A span of event time, half-open: (t - size, t]."""

    size: PositiveDuration
    kind: Literal["sliding"] = "sliding"
    gap: None = None
    align: None = None
    buckets: None = None

    @field_validator("kind", mode="before")
    @classmethod
    def _sliding(cls, value: object) -> object:
        if value in ("tumbling", "session"):
            raise not_yet(value, "sliding")
        return value


class Time(Block):
    """Event time, and how far behind the newest event one may come and still be counted for certain."""

    allowed_lateness: Duration = Duration("2m")
    basis: None = None
    field: None = None
    late: None = None
    max_future: None = None


class Group(Block):
    """A field by which events are kept apart. Events without it are skipped, or make a group of their own."""

    field: Annotated[str, Field(min_length=1)]
    missing: Literal["skip", "group"] = "skip"
    as_: Annotated[None, Field(alias="as")] = None
    lowercase: None = None


class Value(Block):
    """What is compared with the levels: the number of events."""

    agg: Literal["count"] = "count"
    field: None = None
    percentile: None = None
    exact_up_to: None = None

    @field_validator("agg", mode="before")
    @classmethod
    def _count(cls, value: object) -> object:
        if value in ("cardinality", "sum", "avg", "min", "max", "median", "percentile", "rate"):
            raise not_yet(value, "count")
        return value


class Level(Block):
    """From how many events on (`gte`, or `gt`) the alert has which severity; by default the rule's."""

    severity: Severity | None = None
    gte: PositiveInt | None = None
    gt: Annotated[int, Field(ge=0)] | None = None
    lt: None = None
    lte: None = None
    eq: None = None
    neq: None = None
    min_samples: None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Level:
        if (self.gte is None) == (self.gt is None):
            raise ValueError("expected one of gte, gt")
        return self

    @property
    def floor(self) -> int:
        """The least number of events that reaches it."""
        return self.gte if self.gte is not None else (self.gt or 0) + 1


class Recovery(Block):
    """When an alert is over: no match for `after`."""

    after: PositiveDuration
    mode: None = None
    levels: None = None
    query: None = None
    notify: None = None
    reopen_within: None = None
    close_after: None = None


class Suppress(Block):
    """How soon people are told again of an alert that goes on. A higher severity is told at once."""

    realert: Duration = Duration("1h")
    backoff: None = None
    max_realert: None = None
    by: None = None
    break_on_severity: None = None
    max_flaps: None = None
    flap_window: None = None


class _Shared(Block):
    """What every type of condition has."""

    version: Literal[1] = 1
    group_by: Annotated[
        tuple[Annotated[Group, BeforeValidator(lambda item: {"field": item} if isinstance(item, str) else item)], ...],
        BeforeValidator(_in_list),
        Field(max_length=8),
    ] = ()
    suppress: Suppress = Suppress()
    recovery: Recovery | None = None
    groups: None = None
    min_samples: None = None
    for_: Annotated[None, Field(alias="for")] = None
    list_: Annotated[None, Field(alias="list")] = None
    baseline: None = None
    numerator: None = None
    new: None = None
    change: None = None
    sequence: None = None
    dedup: None = None
    schedule: None = None
    inhibit: None = None
    bundle: None = None
    limits: None = None
    escalation: None = None
    evidence: None = None
    title: None = None
    description: None = None


class MatchConditions(_Shared):
    """Every matching event; those of one group make one alert while it lasts."""

    type: Literal["match"]


class ThresholdConditions(_Shared):
    """As many matching events of one group in a window as a level asks for."""

    type: Literal["threshold"]
    window: Annotated[Window, BeforeValidator(lambda window: {"size": window} if isinstance(window, str) else window)]
    count: Annotated[PositiveInt | None, Field(description="Short for levels: [{gte: N}].")] = None
    levels: tuple[Level, ...] | None = None
    value: Value = Value()
    after_match: Annotated[
        Literal["reset", "keep"],
        Field(
            description="reset: events that reached the highest level count no more; keep: they do while in the window."
        ),
    ] = "reset"
    time: Time = Time()

    @model_validator(mode="after")
    def _one_form(self) -> ThresholdConditions:
        if (self.count is None) == (not self.levels):
            raise ValueError("expected one of count, levels")
        return self

    def steps(self) -> tuple[Level, ...]:
        """The levels, lowest first."""
        return tuple(sorted(self.levels or (Level(gte=self.count),), key=lambda level: level.floor))


Conditions: TypeAlias = MatchConditions | ThresholdConditions
