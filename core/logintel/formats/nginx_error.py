"""nginx_error: nginx's error log: what happened, then `key: value` about the connection (ngx_http_log_error)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat

_ABOUT: Final = re.compile(
    r", (client|server|request|subrequest|upstream|host|referrer|login|bytes from/to client|bytes from/to"
    r' upstream): (?:"([^"]*)"|([^,"]*))'
)
_REQUEST: Final = re.compile(r"([A-Z]{1,20}) ([^ ]+)(?: HTTP/([0-9.]+))?")


class NginxErrorFormat(PatternFormat):
    name: ClassVar[str] = "nginx_error"
    begins = "0123456789"
    patterns = compiled(
        r"(?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[(?P<level>[a-z]+)\] (?P<pid>[0-9]+)#"
        r"(?P<thread>[0-9]+): (?:\*(?P<connection>[0-9]+) )?(?P<message>.*)",
    )

    def finish(self, event: Event) -> Event:
        for key, quoted, bare in _ABOUT.findall(event.message):
            event.metadata.setdefault({"client": "client_ip"}.get(key, key), quoted or bare)
        event.message = event.message.partition(", client: ")[0]
        request = event.metadata.get("request")
        if isinstance(request, str) and (match := _REQUEST.match(request)):
            event.metadata["http_method"], event.metadata["path"] = match[1], match[2]
            if match[3]:
                event.metadata["http_version"] = match[3]
        return event
