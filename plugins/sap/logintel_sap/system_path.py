"""The system's path: SID, instance and host of an SAP system, from where it keeps its logs.

`/usr/sap/<SID>/<INSTANCE>/…` and, for HANA, `/usr/sap/<SID>/HDB<nn>/<host>/trace/…` or the same below `/hana/shared`
(SAP NetWeaver and SAP HANA installation guides); also where such a tree was copied to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SYSTEM: Final = re.compile(
    r"(?:^|/)(?:usr/sap|hana/shared|sapmnt)/(?P<sid>[A-Z][A-Z0-9]{2})/(?:(?P<instance>[A-Z]{1,10}(?P<number>[0-9]{2}))/)?"
)
_HANA: Final = re.compile(r"/HDB[0-9]{2}/(?P<host>[a-zA-Z0-9][^/]*)/(?:trace|sec|wdisp)(?:/DB_(?P<tenant>[^/]+))?/")


def facts(path: str) -> Mapping[str, str]:
    """What the path says: `sap_sid`, `sap_instance` (D00), `sap_instance_number` (00), `sap_tenant`, `host`."""
    system = _SYSTEM.search(path)
    if system is None:
        return {}
    found = {"sap_sid": system["sid"], "sap_instance": system["instance"], "sap_instance_number": system["number"]}
    if hana := _HANA.search(path, system.start()):
        found |= {"host": hana["host"], "sap_tenant": hana["tenant"]}
    return {name: value for name, value in found.items() if value}
