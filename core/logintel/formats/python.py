"""python: the line layouts of logging and of the servers and frameworks that set their own."""

from __future__ import annotations

from typing import ClassVar, Final

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP

_TIME: Final = rf"(?P<time>{STAMP})"
_LEVEL: Final = r"(?P<level>DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|NOTSET|TRACE|SUCCESS)"
_NAME: Final = r"(?P<class_>[A-Za-z_][\w.-]{0,200})"
_MESSAGE: Final = r"(?P<message>.*)"


class PythonFormat(PatternFormat):
    name: ClassVar[str] = "python"
    needs = ("INFO", "WARN", "ERROR", "DEBUG", "CRITICAL", "FATAL", "NOTSET", "TRACE", "SUCCESS")
    #: What stands after the time that most lines begin with, in a bracket or not.
    stamped = compiled(
        # 2026-11-22 10:00:00,123 - name - LEVEL - text
        rf" - {_NAME} - {_LEVEL} - {_MESSAGE}",
        rf" - {_LEVEL} - {_NAME} - {_MESSAGE}",
        rf" - {_LEVEL} - {_MESSAGE}",
        # flask: [2026-11-22 10:00:00,123] LEVEL in module: text; gunicorn: [2026-11-22 10:00:00 +0000] [17] [INFO] text
        rf"\] {_LEVEL} in {_NAME}: {_MESSAGE}",
        rf"\] \[(?P<pid>[0-9]+)\] \[{_LEVEL}\] {_MESSAGE}",
        # celery: [2026-11-22 10:00:00,123: INFO/MainProcess] text
        rf": {_LEVEL}/(?P<process>[\w-]+)\] {_MESSAGE}",
        # home assistant: 2026-11-22 10:00:00.123 LEVEL (MainThread) [name] text
        rf" {_LEVEL} \((?P<thread>[^)]*)\) \[(?P<class_>[^\]]+)\] {_MESSAGE}",
        # loguru: 2026-11-22 10:00:00.123 | LEVEL    | module:function:42 - text
        rf" \| {_LEVEL} *\| (?P<class_>[\w.<>]+):(?P<method_>[\w<>]+):(?P<line_number>[0-9]+) - {_MESSAGE}",
        # OpenTelemetry: 2026-11-22 10:00:00,123 INFO [main] [file.py:47] [trace_id=… span_id=…] - text
        rf" {_LEVEL} \[(?P<class_>[\w.]+)\] \[(?P<file>[^\]:]+):(?P<line_number>[0-9]+)\] \["
        rf"(?P<pairs>trace_id=[^\]]*)\] - {_MESSAGE}",
    )
    patterns = compiled(
        # logging.basicConfig: LEVEL:name:text
        rf"{_LEVEL}:{_NAME}:{_MESSAGE}",
        # uvicorn: INFO:     127.0.0.1:40000 - "GET / HTTP/1.1" 200 OK
        rf'{_LEVEL}: +(?P<client_ip>[0-9a-fA-F.:]+):(?P<client_port>[0-9]+) - "(?P<request>'
        rf'(?P<http_method>[A-Z]+) (?P<path>[^"]*) HTTP/(?P<http_version>[0-9.]+))" (?P<status>[0-9]{{3}})',
        rf"{_LEVEL}: {{2,}}{_MESSAGE}",
        # openstack: 2026-11-22 10:00:00.123 1234 LEVEL name [req-…] text, the file's name perhaps before it
        rf"(?:(?P<file>[^ ]+\.log[^ ]*) )?{_TIME} (?P<pid>[0-9]+) {_LEVEL} {_NAME} \[(?P<request_id>[^\]]*)\]"
        rf" {_MESSAGE}",
        # vdsm: Thread::LEVEL::2026-11-22 10:00:00,123::module::42::logger::(function) text
        rf"(?P<thread>[^:]+)::{_LEVEL}::{_TIME}::(?P<module>\w+)::(?P<line_number>[0-9]+)::"
        rf"(?P<class_>[\w.]+)::\((?P<method_>[^)]*)\) {_MESSAGE}",
    )
