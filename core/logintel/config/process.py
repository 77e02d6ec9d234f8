"""Processing keys: what is done to a source's events before they are sent."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from logintel.config.problem import nearest
from logintel.config.section import Section
from logintel.duration import Duration
from logintel.event import PARSED_FIELDS, Level
from logintel.size import Size

#: Names of sets of rules, and of the rules in them; the rules are the agent's.
RULE_SETS: Final = {
    "secrets": (
        "private_key", "jwt", "aws_key_id", "github", "gitlab", "slack", "google", "stripe", "npm", "pypi",
        "authorization", "url_password", "credential",
    ),
    "personal": ("email", "iban", "payment_card", "phone"),
}  # fmt: skip
#: Rules of no set: addresses are in nearly every line, and often what a line is about.
FURTHER_RULES: Final = ("ipv4", "ipv6")
#: What the agent itself says of an event: no step may change it.
AGENTS_OWN: Final = frozenset(
    ("source_type", "source", "host", "service", "environment", "timestamp_from", "format", "log_file")
)

_NAME: Final = r"^[a-z][a-z0-9_]{0,39}$"
Name: TypeAlias = Annotated[str, Field(pattern=_NAME)]
WhenExceeded: TypeAlias = Literal["block", "drop"]


def _changeable(path: str) -> str:
    section, _, name = path.partition(".")
    if section == "metadata" and name in AGENTS_OWN:
        raise ValueError(f"{path} is what the agent itself says of an event: it cannot be changed")
    if section == "metadata" and name:
        return path
    if section == "parsed_fields" and name in PARSED_FIELDS:
        return path
    raise ValueError(f"expected metadata.NAME or parsed_fields.NAME ({', '.join(sorted(PARSED_FIELDS))}), got {path!r}")


def _readable(path: str) -> str:
    return path if path in ("message", "raw_log", "level", "metadata.format") else _changeable(path)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}; put it in single quotes, so that \\ stays") from None
    return text


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


FieldToChange: TypeAlias = Annotated[str, BeforeValidator(lambda value: _changeable(str(value)))]
FieldToRead: TypeAlias = Annotated[str, BeforeValidator(lambda value: _readable(str(value)))]
Pattern: TypeAlias = Annotated[str, BeforeValidator(lambda value: _pattern(str(value)))]
Scalar: TypeAlias = str | int | float | bool


class Condition(Section):
    """What an event must be like; of several keys each must hold."""

    level: Annotated[
        tuple[Level, ...], BeforeValidator(_one_or_more), Field(description="Levels, any of them: DEBUG … FATAL.")
    ] = ()
    field: Annotated[
        FieldToRead | None, Field(description="What the next keys are about: message, raw_log, metadata.NAME …")
    ] = None
    equals: Annotated[
        tuple[Scalar, ...], BeforeValidator(_one_or_more), Field(description="Values of the field, any of them.")
    ] = ()
    prefix: Annotated[str | None, Field(description="What the field begins with.", min_length=1)] = None
    pattern: Annotated[Pattern | None, Field(description="Regular expression that is found in the field.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        told = [name for name in ("equals", "prefix", "pattern") if getattr(self, name)]
        if self.field is None and told:
            raise ValueError(f"{told[0]} needs `field`: what it is about, such as message or metadata.path")
        if self.field is not None and not told:
            raise ValueError("field needs `equals`, `prefix` or `pattern`")
        if self.field is None and not self.level:
            raise ValueError("expected `level`, `field` or both")
        return self


class FilterConfig(Section):
    """A filter: drops what its condition holds for, or keeps only that."""

    name: Annotated[Name, Field(description="Its name: the reason `filter:NAME` of what it drops.")]
    drop: Annotated[Condition | None, Field(description="Drop the events that are like this.")] = None
    keep: Annotated[Condition | None, Field(description="Drop the events that are not like this.")] = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.drop is None) == (self.keep is None):
            raise ValueError("expected either `drop` or `keep`")
        return self


class SampleConfig(Section):
    """A sample: of many events alike some are kept; which ones depends on their ids alone."""

    name: Annotated[Name, Field(description="Its name: the reason `sample:NAME` of what it drops.")]
    keep: Annotated[int, Field(ge=0, description="How many are kept on average …")] = 1
    of: Annotated[int, Field(ge=1, le=1_000_000, description="… of so many.")]
    where: Annotated[Condition | None, Field(description="Events that are sampled; all by default.")] = None
    key: Annotated[
        FieldToRead | None, Field(description="Events that have the same value here are kept or dropped together.")
    ] = None
    severe: Annotated[bool, Field(description="Whether ERROR and FATAL are sampled as well.")] = False

    @model_validator(mode="after")
    def _fewer(self) -> Self:
        if self.keep >= self.of:
            raise ValueError(f"keep ({self.keep}) must be less than of ({self.of}): else nothing is dropped")
        return self


class TagConfig(Section):
    """A tag for some of the events; `tags` of the source are put on all."""

    tag: Annotated[str, Field(min_length=1, max_length=100, description="The tag.")]
    where: Annotated[Condition, Field(description="Events that get it.")]


class _LimitConfig(Section):
    when_exceeded: Annotated[
        WhenExceeded, Field(description="block: wait, which loses nothing; drop: drop what is too much, counted.")
    ] = "block"


class RateLimitConfig(_LimitConfig):
    """How fast events of the source may be sent."""

    events_per_second: Annotated[float | None, Field(gt=0, description="Events a second.")] = None
    bytes_per_second: Annotated[Size | None, Field(description="Bytes of encoded events a second.")] = None
    burst: Annotated[Duration, Field(description="For how long of being quiet more may be sent at once.")] = Duration(
        "1s"
    )

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if not self.events_per_second and not self.bytes_per_second:
            raise ValueError("expected `events_per_second`, `bytes_per_second` or both, more than nothing")
        return self


class QuotaConfig(_LimitConfig):
    """How much of the source may be sent a day (UTC)."""

    events_per_day: Annotated[int | None, Field(gt=0, description="Events a day.")] = None
    bytes_per_day: Annotated[Size | None, Field(description="Bytes of encoded events a day.")] = None

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if not self.events_per_day and not self.bytes_per_day:
            raise ValueError("expected `events_per_day`, `bytes_per_day` or both, more than nothing")
        return self


class OwnRule(Section):
    """A redaction rule of one's own."""

    name: Annotated[Name, Field(description="Its name, which stands in what replaces a match.")]
    pattern: Annotated[Pattern, Field(description="Regular expression; each match is replaced.")]
    group: Annotated[int, Field(ge=0, description="Group of the pattern that is replaced; 0: all of the match.")] = 0

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in rule_names():
            raise ValueError(f"{value!r} is the name of a built-in rule: choose another")
        return value

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        compiled = re.compile(self.pattern)
        if compiled.groups < self.group:
            raise ValueError(f"the pattern has {compiled.groups} groups, and group is {self.group}")
        if compiled.match(""):
            raise ValueError("the pattern also matches an empty text: it would match everywhere")
        return self


def rule_names() -> tuple[str, ...]:
    """Names of sets and of single rules that `redact` may list."""
    return (*RULE_SETS, *(name for names in RULE_SETS.values() for name in names), *FURTHER_RULES)


def _known(value: Any) -> Any:
    if isinstance(value, str) and value not in rule_names():
        known = f"expected {', '.join((*RULE_SETS, *FURTHER_RULES))}, a rule of these sets, or name and pattern"
        raise ValueError(f"unknown redaction rule {value!r}{nearest(value, rule_names())}; {known}")
    return OwnRule.model_validate(value) if isinstance(value, dict) else value


Redact: TypeAlias = tuple[Annotated[str | OwnRule, BeforeValidator(_known)], ...]


class ProcessConfig(Section):
    """What is done to a source's events, in this order; nothing by default."""

    filter: Annotated[tuple[FilterConfig, ...], Field(description="Drop events, by what they say.")] = ()
    sample: Annotated[tuple[SampleConfig, ...], Field(description="Keep some of many events alike.")] = ()
    rename: dict[FieldToChange, FieldToChange] = Field(default_factory=dict, description="Fields to rename: from, to.")
    drop: Annotated[tuple[FieldToChange, ...], Field(description="Fields to leave out.")] = ()
    add: dict[FieldToChange, Scalar] = Field(default_factory=dict, description="Fields to set.")
    tags: Annotated[tuple[TagConfig, ...], Field(description="Tags for some of the events.")] = ()
    redact: Annotated[Redact, Field(description="Rules by which secrets and personal data are replaced.")] = ()
    rate_limit: Annotated[RateLimitConfig | None, Field(description="How fast events may be sent.")] = None
    quota: Annotated[QuotaConfig | None, Field(description="How much may be sent a day.")] = None


def long_enough(key: SecretStr | None) -> SecretStr | None:
    """A key of receipts. Raises ValueError."""
    if key is not None and len(key.get_secret_value().strip()) < 16:
        raise ValueError("expected a key of at least 16 characters, such as `openssl rand -hex 32` prints")
    return key


class RedactionConfig(Section):
    """Redaction of all sources."""

    rules: Annotated[Redact, Field(description="Rules for every source, beside its own `process.redact`.")] = ()
    key: Annotated[
        SecretStr | None,
        Field(description="Key of the hashes; best written as ${file:PATH}. By default one is made and kept."),
    ] = None
    budget: Annotated[
        Duration, Field(description="CPU time for one event; what takes longer stays on this host as a dead letter.")
    ] = Duration("100ms")

    _long_enough = field_validator("key")(long_enough)

    @field_validator("budget")
    @classmethod
    def _positive(cls, value: Duration) -> Duration:
        if value < 0.001:
            raise ValueError("expected at least 1ms")
        return value
