"""java: the line layouts of log4j, log4j2, logback, java.util.logging, Spring Boot and the servers built on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats import Decoded, Reading
from logintel.formats.alternatives import compiled
from logintel.formats.facts import may_mention, mention
from logintel.formats.patterns import PatternFormat, follow
from logintel.levels import ANY, FIVE, WORDS, put_level
from logintel.timestamps import STAMP, Clock, clock
from logintel.written import Frame, plain_json, written

_TIME: Final = rf"(?P<time>{STAMP})"
_LEVEL: Final = rf"(?P<level>(?:{ANY})\b)"
#: A logger's name: dotted, with the `$` and `#` of inner classes; log4j2 may add the place in brackets.
_CLASS: Final = r"(?P<class_>[A-Za-z_#][\w.$/#-]{0,200})"
_WHERE: Final = r"(?:[:.](?P<line_number>[0-9]{1,7}))?"
_THREAD: Final = r"\[(?P<thread>[^\[\]]{0,200}(?:\[[^\[\]]{0,100}\][^\[\]]{0,100}){0,3})\]"
_MESSAGE: Final = r"(?P<message>.*)"


#: Words of which one stands in each line that Java programs write.
_NEEDS: Final = (
    *("INFO", "WARN", "ERROR", "DEBUG", "TRACE", "FATAL", "SEVERE", "FINE", "CONFIG"),
    *("NOTICE", "CRIT", "ALERT", "EMERG", "OFF"),
)
_LEVELS: Final = {word: level for word, level in WORDS.items() if any(need in word for need in _NEEDS)}
_NO_NAMES: Final[frozenset[str]] = frozenset()
#: The two layouts that most programs use, where no earlier one of JavaFormat fits: `TIME LEVEL [thread] logger - text`,
#: `TIME [thread] LEVEL logger - text`.
_COMMON: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2})[.,]([0-9]{1,6}) "
    r"(?:([A-Z]+) +\[([^\[\]\n]+)\] |\[([^\[\]\n]+)\] +([A-Z]+) +)([A-Za-z_][\w.$/#-]{0,200}+)(?: - |: )(.*)"
)


class JavaFormat(PatternFormat):
    name: ClassVar[str] = "java"
    needs = _NEEDS
    #: What stands after the time that most lines begin with, in a bracket or not.
    stamped = compiled(
        # Spring Boot: 2026-11-22 10:00:00.123  INFO 1 --- [app] [main] o.s.b.SpringApplication : Started
        rf" +{_LEVEL} (?P<pid>[0-9]+) --- (?:\[(?P<application>[^\[\]]*)\] )?{_THREAD} {_CLASS} *: {_MESSAGE}",
        # logback, log4j: 2026-11-22 10:00:00,123 [main] INFO  c.e.App:42 - text
        rf" ?{_THREAD}:? +{_LEVEL} +{_CLASS}{_WHERE}(?: \[(?P<context>[^\]]*)\])* *(?: - |: ){_MESSAGE}",
        # 2026-11-22 10:00:00,123 [id] INFO - logger - text (IDEA), … [main] INFO - text
        rf" ?{_THREAD} +{_LEVEL} - (?:{_CLASS} - )?{_MESSAGE}",
        # log4j2: 2026-11-22 10:00:00,123 INFO [main] c.e.App (App.java:42) - text; hadoop: INFO [main] c.e.App: text
        rf" +{_LEVEL} +{_THREAD} {_CLASS}{_WHERE} *(?:\((?P<file>[^():]+):[0-9]+\) )?(?:- |: ){_MESSAGE}",
        # wildfly, ovirt: 2026-11-22 10:00:00,123 INFO  [c.e.App] (thread) text
        rf" +{_LEVEL} +\[ *(?P<class_>[\w.$/-]+) *\] \((?P<thread>[^)]*(?:\)[^) ]+)?)\) (?:\[[^\]]*\] )?{_MESSAGE}",
        # zookeeper: 2026-11-22 10:00:00,123 [myid:1] - INFO  [thread:Class@123] - text
        rf" +(?:\[myid:(?P<myid>[^\]]*)\] +)?- {_LEVEL} +\[(?P<thread>.*?):(?P<class_>[\w.$]+)@"
        rf"(?P<line_number>[0-9]+)\] ?- {_MESSAGE}",
        # hadoop: 2026-11-22 10:00:00,123 INFO c.e.App: text
        rf" +{_LEVEL} +(?P<class_>[A-Za-z_][\w.$/-]*[\w$]){_WHERE}:? ?(?: - |: ){_MESSAGE}",
        # hivemq: 2026-11-22 10:00:00,123 INFO  - text
        rf" +{_LEVEL} +- {_MESSAGE}",
        # elasticsearch, logstash: [2026-11-22T10:00:00,123][INFO ][o.e.n.Node ] [node] text
        rf"\]\[{_LEVEL} *\]\[ *(?P<class_>[^\] ]+) *\](?:\[(?P<thread>[^\]]*)\])? ?(?:\[(?P<node>[\w.:-]*)\] )?"
        rf"(?:\[(?P<index>[^\]]*)\](?:\[(?P<shard>[0-9]+)\])? )?{_MESSAGE}",
        # kafka: [2026-11-22 10:00:00,123] INFO text (kafka.server.KafkaServer)
        rf"\] {_LEVEL} +(?P<message>.*) \((?P<class_>[A-Za-z_][\w.$]*\.[\w.$]+)(?::(?P<line_number>[0-9]+))?\)$",
        # activemq: 2026-11-22 10:00:00,123 | INFO  | text | logger | thread
        rf" \| {_LEVEL} *\| (?P<message>.*) \| (?P<class_>[A-Za-z_][\w.$]*) \| (?P<thread>[^|]*)$",
        rf" \| {_LEVEL} *\| {_CLASS} - {_MESSAGE}",
        # tomcat (JUL, one line): 22-Nov-2026 10:00:00.123 INFO [main] org.apache.Class.method text
        rf" {_LEVEL} {_THREAD} (?P<class_>[\w.$]+)\.(?P<method_>[\w<>$]+) {_MESSAGE}",
        # solr: 2026-11-22 10:00:00.123 INFO  (thread) [ x:core] o.a.s.Class text
        rf" {_LEVEL} +\((?P<thread>[^)]*)\) \[(?P<context>[^\]]*)\] (?P<class_>[\w.$]+) {_MESSAGE}",
        # sonarqube: 2026.11.22 10:00:00 INFO  ce[][o.s.ce.app.CeServer] text
        rf" {_LEVEL} +(?P<process>\w+)\[(?P<context>[^\]]*)\]\[(?P<class_>[^\]]+)\] {_MESSAGE}",
        # tab separated (presto): 2026-11-22T10:00:00.123Z<TAB>INFO<TAB>thread<TAB>logger<TAB>text
        rf"\t{_LEVEL} *\t(?P<thread>[^\t]*)\t(?P<class_>[\w.$]+)\t{_MESSAGE}",
    )
    patterns = compiled(
        # cassandra: INFO  [main] 2026-11-22 10:00:00,123 Class.java:42 - text
        rf"{_LEVEL} +{_THREAD} {_TIME} (?P<file>(?P<class_>[\w$.]+?)\.\w{{1,6}}):(?P<line_number>[0-9]+) - {_MESSAGE}",
    )

    def write(
        self, records: Sequence[str], log_ids: Sequence[str], reading: Reading, frame: Frame
    ) -> Sequence[bytes | Decoded]:
        between = frame.between(_NO_NAMES, self.name)
        if between is None:
            return self.decode(records, reading)
        instant, general = clock(reading), super()._decode
        return [
            _write(record, log_id, between, instant) or general(record, instant)
            for record, log_id in zip(records, log_ids, strict=True)
        ]

    def _decode(self, record: str, instant: Clock) -> Event | None:
        return _common(record, instant) or super()._decode(record, instant)


def _write(record: str, log_id: str, between: str, instant: Clock) -> bytes | Event | None:
    """A record of _COMMON: written where it is one line that mentions nothing."""
    match = _COMMON.match(record)
    if match is None:
        return None
    return _written(match, log_id, between, instant) or _event(match, instant)


def _common(record: str, instant: Clock) -> Event | None:
    """What JavaFormat makes of a record of _COMMON, at a quarter of the cost."""
    match = _COMMON.match(record)
    return None if match is None else _event(match, instant)


def _written(match: re.Match[str], log_id: str, between: str, instant: Clock) -> bytes | None:
    record = match.string
    second, fraction, level, thread, thread_first, level_behind, logger, message = match.groups()
    word, name = level or level_behind, thread or thread_first
    if match.end() < len(record) or word not in FIVE or name[0] in " -" or name[-1] == " ":
        return None
    if message in ("", "-") or "=" in message or may_mention(message):
        return None
    raw, stamp = plain_json(record), instant.parts(second, fraction)
    if raw is None or stamp is None:
        return None
    said = f',"level":"{word}","message":"{message}","parsed_fields":{{"thread":"{name}","class":"{logger}"}}'
    return written(log_id, stamp, said, between, "", raw)


def _event(match: re.Match[str], instant: Clock) -> Event | None:
    record = match.string
    if "\r" in record:
        return None
    second, fraction, level, thread, thread_first, level_behind, logger, message = match.groups()
    word, name = level or level_behind, (thread or thread_first).strip()
    stamp = instant.parts(second, fraction)
    if stamp is None or word not in _LEVELS or name in ("", "-") or message in ("", "-"):
        return None
    event = Event(record, message, stamp, None, {"thread": name, "class": logger}, {}, [], "java")
    put_level(event, word, _LEVELS[word])
    mention(event)
    end = match.end()
    return event if end == len(record) else follow(event, record[end + 1 :])
