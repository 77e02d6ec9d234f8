"""Names that JSON loggers give to the parts of an event, best first, and the plan for one set of names."""

from __future__ import annotations

from typing import Final, NamedTuple

from logintel.event import Level
from logintel.levels import BUNYAN, LETTERS, PYTHON, SYSLOG

TIMES: Final = (
    "@timestamp", "timestamp", "@t", "time", "ts", "datetime", "date", "eventTime", "event_time", "time_iso8601",
    "asctime", "instant", "timeMillis", "t", "Timestamp", "timestampMillis", "__REALTIME_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP", "unixTime", "created_at", "createdDateTime", "requestReceivedTimestamp",
    "stageTimestamp", "msec", "StartUTC", "start_time", "published", "log_time", "logtime", "created", "epoch",
    "eventtime", "calendarTime", "time_local",
)  # fmt: skip
_SYSLOG: Final[dict[int, Level]] = dict(enumerate(SYSLOG))
#: Keys of the level, with what their numbers mean.
NUMBERS: Final[dict[str, dict[int, Level]]] = {
    "level": BUNYAN | _SYSLOG, "log.level": {}, "severity": BUNYAN | _SYSLOG, "lvl": BUNYAN, "@l": {},
    "levelname": {}, "loglevel": {}, "log_level": {},
    "severityText": {}, "severity_text": {}, "SeverityText": {}, "levelno": PYTHON, "Level": {}, "LogLevel": {},
    "PRIORITY": _SYSLOG, "priority": {}, "levelName": {}, "level_name": {}, "s": {}, "Severity": {}, "LEVEL": {},
}  # fmt: skip
_TEXT_NUMBERS: Final[dict[str, Level]] = {str(number): level for number, level in _SYSLOG.items()}
#: Keys of the level, with what their single characters mean.
LEVELS: Final[dict[str, dict[str, Level]]] = {
    key: LETTERS | (_TEXT_NUMBERS if key == "PRIORITY" else {}) for key in NUMBERS
}
MESSAGES: Final = (
    "message", "msg", "@m", "short_message", "log", "MESSAGE", "text", "Message", "@mt", "event",
    "renderedMessage", "messageTemplate",
    "full_message", "textPayload", "body", "description", "MsgText",
)  # fmt: skip
#: Keys of the seed's parsed fields.
FIELDS: Final[dict[str, str]] = {
    "host": "host", "hostname": "host", "host.name": "host", "_HOSTNAME": "host", "server": "host",
    "service": "service", "service.name": "service", "SYSLOG_IDENTIFIER": "service", "app": "service",
    "serviceName": "service",
    "thread": "thread", "thread_name": "thread", "threadName": "thread", "process.thread.name": "thread",
    "ctx": "thread",
    "logger": "class", "logger_name": "class", "loggerName": "class", "log.logger": "class", "SourceContext": "class",
    "target": "class", "component": "class",
    "stack_trace": "stack_trace", "stack": "stack_trace", "stacktrace": "stack_trace",
    "error.stack_trace": "stack_trace",
    "exc_info": "stack_trace", "exception": "stack_trace", "@x": "stack_trace", "full_message": "stack_trace",
    "lineno": "line_number", "line_number": "line_number", "log.origin.file.line": "line_number",
    "CODE_LINE": "line_number",
    "funcName": "method", "log.origin.function": "method", "CODE_FUNC": "method", "caller": "method",
}  # fmt: skip
#: Members whose object may hold what the top level does not say.
HOLDERS: Final = frozenset(
    ("fields", "log", "data", "attributes", "jsonPayload", "event", "message", "error", "process", "@metadata")
)


class Plan(NamedTuple):
    """Which of an object's members are what, by their names alone."""

    times: tuple[str, ...]
    levels: tuple[str, ...]
    messages: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    holders: tuple[str, ...]

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Plan:
        known = frozenset(names)
        return cls(
            tuple(key for key in TIMES if key in known),
            tuple(key for key in NUMBERS if key in known),
            tuple(key for key in MESSAGES if key in known),
            tuple((key, FIELDS[key]) for key in names if key in FIELDS),
            tuple(key for key in names if key in HOLDERS),
        )
