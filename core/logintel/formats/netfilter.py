"""netfilter: packets that iptables, nftables and ufw log: `prefix IN=eth0 OUT= MAC=… SRC=… DST=… PROTO=TCP … SYN …`."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat

_PART: Final = re.compile(r"([A-Z]{2,10})=([^ ]*)|(?<= )(DF|MF|CE|SYN|ACK|FIN|RST|PSH|URG)(?= |$)")


class NetfilterFormat(PatternFormat):
    name: ClassVar[str] = "netfilter"
    mentions = False
    needs = ("IN=",)
    patterns = compiled(
        r"(?P<message>(?:\[ *(?P<uptime>[0-9]+\.[0-9]+)\] )?(?P<prefix>[^=]{0,200}?)(?P<packet>\bIN=[^ ]* "
        r"(?:PHYSIN=[^ ]* )?OUT=[^ ]* .*))",
    )

    def finish(self, event: Event) -> Event:
        metadata = event.metadata
        flags: list[Json] = []
        lengths: list[Json] = []
        for key, value, flag in _PART.findall(str(metadata.pop("packet", ""))):
            if flag:
                flags.append(flag)
            elif key == "LEN":
                lengths.append(value)
            elif value:
                metadata.setdefault(key, value)
        if lengths:
            metadata["LEN"], metadata["payload_lengths"] = lengths[0], lengths[1:]
        if flags:
            metadata["flags"] = flags
        mac = metadata.get("MAC")
        if isinstance(mac, str) and len(mac) >= 35:
            metadata["mac_destination"], metadata["mac_source"] = mac[:17], mac[18:35]
        prefix = metadata.get("prefix")
        if isinstance(prefix, str):
            metadata["rule"] = [word for word in re.split(r"[:\[\] ]+", prefix) if word]
        return event
