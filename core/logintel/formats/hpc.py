"""hpc: supercomputers' event logs as they are published: Blue Gene's RAS log, Thunderbird's and the like."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat


class HpcFormat(PatternFormat):
    name: ClassVar[str] = "hpc"
    patterns = compiled(
        # alert epoch date node time node type component level text
        r"(?P<alert>[^ ]+) (?P<epoch>[0-9]{10}) (?P<date>[0-9]{4}\.[0-9]{2}\.[0-9]{2}) (?P<host>[^ ]+) "
        r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9.]{8}\.[0-9]{6}) (?P<node>[^ ]+) (?P<type>[^ ]+) (?P<class_>[^"
        r" ]+) (?P<level>[A-Z]+) (?P<message>.*)",
        # alert epoch date node Mon d hh:mm:ss place tag[pid]: text
        r"(?P<alert>[^ ]+) (?P<time>[0-9]{10}) (?P<date>[0-9]{4}\.[0-9]{2}\.[0-9]{2}) (?P<host>[^ ]+) "
        r"(?P<month>[A-Z][a-z]{2}) +(?P<day>[0-9]{1,2}) (?P<clock>[0-9:]{8}) (?P<location>[^ ]+) (?:"
        r"(?P<service>[^ \[:]+(?: [^ \[:]+)?)(?:\[(?P<pid>[0-9]+)\])?: )?(?P<message>.*)",
        # id node component state epoch flag text
        r"(?P<log_id>[0-9]+) (?P<host>[^ ]+) (?P<class_>[^ ]+) (?P<state>[^ ]+) (?P<time>[0-9]{10}) "
        r"(?P<flag>[0-9]+) (?P<message>.*)",
    )
