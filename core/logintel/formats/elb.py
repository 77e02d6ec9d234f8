"""elb: access logs of Amazon's load balancers (classic and application) and of S3.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.formats.urls import put_url

_TARGET = r"(?:-|(?P<target>(?P<target_ip>[^ ]+):(?P<target_port>[0-9]+)))"
_REQUEST = r'"(?P<request>(?P<http_method>[A-Z-]+) (?P<url>[^ "]*) (?P<protocol>[^"]*?) ?)"'
_COMMON = (
    rf"(?P<time>[0-9-]{{10}}T[0-9:]{{8}}\.[0-9]{{3,6}}Z) (?P<balancer>[^ ]+) (?P<client>(?P<client_ip>[^ ]+):"
    rf"(?P<client_port>[0-9]+)) {_TARGET} "
    r"(?P<request_seconds>-?[0-9.]+) (?P<target_seconds>-?[0-9.]+) (?P<response_seconds>-?[0-9.]+) "
    r"(?P<status>[0-9]{3}|-) (?P<target_status>[0-9]{3}|-) "
    rf"(?P<received_bytes>[0-9]+) (?P<bytes>[0-9]+) {_REQUEST}"
)
_TLS = r'(?: "(?P<user_agent>[^"]*)" (?P<tls_cipher>[^ ]+) (?P<tls_version>[^ ]+))?'
_PART: Final = re.compile(r'"([^"]*)"|([^ "]+)')


class ElbFormat(PatternFormat):
    name: ClassVar[str] = "elb"
    mentions = False
    patterns = compiled(
        rf"(?P<message>(?P<type>https?|h2|grpcs|wss?) {_COMMON}{_TLS}(?P<rest>.*))",
        rf"(?P<message>{_COMMON}{_TLS}(?P<rest>.*))",
        r"(?P<message>(?P<owner>[0-9a-f]{64}) (?P<bucket>[^ ]+) \[(?P<time>[^\]]+)\] (?P<client_ip>[^ ]+) "
        r"(?P<requester>[^ ]+) (?P<request_id>[^ ]+) (?P<operation>[A-Z0-9_.]+) (?P<key>[^ ]+) "
        r'"(?P<request>(?P<http_method>[A-Z]+) (?P<path>[^ "]*)(?: (?P<protocol>[^"]*))?)" '
        r"(?P<status>[0-9]{3}|-) (?P<error_code>[^ ]+) (?P<bytes>[^ ]+) (?P<object_bytes>[^ ]+) (?P<total_ms>[^"
        r" ]+) "
        r'(?P<turnaround_ms>[^ ]+) "(?P<referrer>[^"]*)" "(?P<user_agent>[^"]*)"(?P<rest>.*))',
    )

    def finish(self, event: Event) -> Event:
        url = event.metadata.get("url") or event.metadata.get("path")
        if isinstance(url, str):
            event.metadata["url_stem"] = url.partition("?")[0]
            put_url(event.metadata, url)
        protocol = event.metadata.get("protocol")
        if isinstance(protocol, str):
            event.metadata["http_version"] = protocol.partition("/")[2]
        rest = event.metadata.pop("rest", None)
        if isinstance(rest, str):
            event.metadata["extra"] = [
                quoted or bare for quoted, bare in _PART.findall(rest) if (quoted or bare) not in ("", "-")
            ]
        return event
