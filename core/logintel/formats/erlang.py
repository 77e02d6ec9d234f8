"""erlang: lager's lines and OTP's own reports (RabbitMQ, Riak, CouchDB, EMQX)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP


class ErlangFormat(PatternFormat):
    name: ClassVar[str] = "erlang"
    needs = (" <", "REPORT")
    patterns = compiled(
        rf"=(?P<level>[A-Z]+) REPORT==== (?P<time>{STAMP}) === ?(?P<message>.*)",
        rf"(?P<time>{STAMP}) \[(?P<level>[a-z]+)\] (?:(?P<context>Undefined) )?<(?P<thread>[0-9.]+)>(?:@"
        rf"(?P<class_>\w+):(?P<method_>\w+):(?P<line_number>[0-9]+))? (?P<message>.*)",
        rf"\[(?P<level>[a-z]+)\] (?P<time>{STAMP}) (?P<node>[^ ]+) <(?P<thread>[0-9.]+)> (?P<request_id>[^ ]+) "
        rf"(?P<message>(?:(?P<vhost>[^ ]+) (?P<client_ip>[0-9a-fA-F.:]+) (?P<user>[^ ]+) (?P<http_method>[A-Z]+)"
        rf" (?P<path>[^ ]+) (?P<status>[0-9]{{3}}) )?.*)",
    )
