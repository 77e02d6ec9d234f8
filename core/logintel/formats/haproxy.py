"""haproxy: HAProxy's HTTP and TCP logs (configuration manual, 8.2.2 and 8.2.3); syslog usually carries them."""

from __future__ import annotations

from typing import ClassVar

from logintel.event import Event
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.formats.urls import put_url

_HEAD = (
    r"(?P<client_ip>[0-9a-fA-F.:]+):(?P<client_port>[0-9]+) \[(?P<time>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}"
    r"(?:\.[0-9]{3})?)\] "
    r"(?P<frontend>[^ ]+) (?P<backend>[^ /]+)/(?P<server>[^ ]+) "
)
_CONNECTIONS = (
    r"(?P<actconn>[0-9]+)/(?P<feconn>[0-9]+)/(?P<beconn>[0-9]+)/(?P<srvconn>[0-9]+)/(?P<retries>\+?[0-9]+) "
    r"(?P<server_queue>[0-9]+)/(?P<backend_queue>[0-9]+)"
)


class HaproxyFormat(PatternFormat):
    name: ClassVar[str] = "haproxy"
    mentions = False
    patterns = compiled(
        rf"(?P<message>{_HEAD}(?P<time_request>-?[0-9]+)/(?P<time_queue>-?[0-9]+)/(?P<time_connect>-?[0-9]+)/"
        rf"(?P<time_response>-?[0-9]+)/(?P<time_active>\+?-?[0-9]+) "
        rf"(?P<status>-?[0-9]+) (?P<bytes>\+?[0-9]+) (?P<request_cookie>[^ ]+) (?P<response_cookie>[^ ]+) "
        rf"(?P<termination_state>[^ ]{{2,4}}) {_CONNECTIONS}"
        r'(?: \{(?P<request_headers>[^}]*)\})?(?: \{(?P<response_headers>[^}]*)\})? "(?P<request>'
        r'(?P<http_method><?[A-Z]+>?)(?: (?P<path>[^ "]*))?(?: HTTP/(?P<http_version>[0-9.]+))?[^"]*)"?.*)',
        rf"(?P<message>{_HEAD}(?P<time_queue>-?[0-9]+)/(?P<time_connect>-?[0-9]+)/(?P<time_active>\+?-?[0-9]+) "
        rf"(?P<bytes>\+?[0-9]+) (?P<termination_state>[^ ]{{2}}) {_CONNECTIONS}.*)",
        r"(?P<message>Connect from (?P<client_ip>[0-9a-fA-F.:]+):(?P<client_port>[0-9]+) to "
        r"(?P<server_ip>[0-9a-fA-F.:]+):(?P<server_port>[0-9]+) \((?P<frontend>[^/)]+)/(?P<mode>[A-Z]+)\))",
        r"(?P<message>(?:Proxy|Stopping (?:frontend|backend|proxy)|(?:Server|Backend|Health check for server)) "
        r"(?P<frontend>[\w./~-]+) (?:started|stopped|in [0-9]+ ms|is (?:UP|DOWN)).*)",
    )

    def finish(self, event: Event) -> Event:
        path = event.metadata.get("path")
        if isinstance(path, str):
            put_url(event.metadata, path)
        return event
