"""klog: glog's line layout, as Kubernetes, Mesos, CockroachDB and many Google programs write it.

`Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg` (https://github.com/google/glog#log-line-prefix-format).
"""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.levels import LETTERS

_TIME = r"(?P<time>(?:[0-9]{2}){2,4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9})"


class KlogFormat(PatternFormat):
    name: ClassVar[str] = "klog"
    begins = "IWEFD"
    levels = LETTERS
    patterns = compiled(
        rf"(?P<level>[IWEFD]){_TIME} +(?P<thread>[0-9]+) (?P<file>[^ :\]]+):(?P<line_number>[0-9]+)\] ?(?P<message>.*)",
        rf"(?P<level>[IWEFD]){_TIME} +(?P<thread>[0-9]+) (?:[0-9]+@)?(?P<file>[^ :\]]+):(?P<line_number>[0-9]+) "
        rf"(?:⋮ )?(?:\[(?P<tags>[^\]]*)\] )?(?P<message>.*)",
    )
