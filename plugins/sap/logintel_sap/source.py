"""The sap source: files of SAP systems, each read as the kind of log it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from logintel.batch import Batch, Cursor
from logintel.event import Json
from logintel.formats import Format, FormatRegistry
from logintel.inputs.files import FileInput, TextFilesConfig
from logintel.source import Source
from logintel.standing import Standing
from logintel_sap import system_path
from logintel_sap.icm_access import IcmAccessFormat
from logintel_sap.icm_logformat import compiled
from logintel_sap.java_list import JavaListFormat, header_pattern
from logintel_sap.kinds import Kind, kind_of

#: The format that reads each kind.
_FORMATS: Final[dict[Kind, str]] = {
    "security_audit": "sap-audit",
    "developer_trace": "sap-trace",
    "hana_trace": "hana",
    "hana_audit": "hana-audit",
    "java_list": "sap-java",
    "gateway": "sap-gateway",
    "saprouter": "sap-router",
    "icm_access": "sap-icm",
}


def _a_logformat(text: str) -> str:
    compiled(text)
    return text


class SapConfig(TextFilesConfig):
    """Keys of the sap source."""

    kind: Annotated[
        Literal["auto"] | Kind, Field(description="Which log the files are; `auto` tells by their content and names.")
    ] = "auto"
    sid: Annotated[
        str | None, Field(description="System id; by default what the path says.", pattern=r"^[A-Z][A-Z0-9]{2}$")
    ] = None
    instance: Annotated[
        str | None,
        Field(description="Instance, such as D00; by default what the path says.", pattern=r"^[A-Z]{1,10}[0-9]{2}$"),
    ] = None
    logformat: Annotated[
        Annotated[str, AfterValidator(_a_logformat)] | None,
        Field(description="LOGFORMAT of ICM access logs: CLF, SAP, … or directives; by default a named one that fits."),
    ] = None

    def form(self, formats: FormatRegistry) -> Format:
        """See TextFilesConfig."""
        return self._format(formats, None if self.kind == "auto" else self.kind)

    def form_of(self, formats: FormatRegistry, path: str, head: bytes) -> Format | None:
        """See TextFilesConfig."""
        if not head:
            return None
        return self._format(formats, kind_of(path, head) if self.kind == "auto" else self.kind, head)

    def _format(self, formats: FormatRegistry, kind: Kind | None, head: bytes = b"") -> Format:
        if kind == "icm_access":
            return IcmAccessFormat(self.logformat)
        if kind == "java_list":
            return JavaListFormat(header_pattern(head))
        return formats.create(_FORMATS[kind] if kind else "auto")

    def facts(self, path: str) -> Mapping[str, Json]:
        """What is known of the system that wrote the file: metadata of all its events."""
        found: dict[str, Json] = {**system_path.facts(path)}
        if self.sid:
            found["sap_sid"] = self.sid
        if self.instance:
            found |= {"sap_instance": self.instance, "sap_instance_number": self.instance[-2:]}
        if self.host:
            found["host"] = self.host
        if not self.service and (system := [str(found[n]) for n in ("sap_sid", "sap_instance") if n in found]):
            found["service"] = "/".join(system)
        return found


class SapSource(Source):
    """Log files of SAP systems: security audit log, traces, HANA, AS Java, gateway, SAProuter, ICM."""

    type = "sap"
    split = True
    Config = SapConfig
    config: SapConfig
    _files: FileInput | None = None

    @property
    def unread_bytes(self) -> int:
        """Bytes that were seen in files and were gone before they could be read."""
        return self._files.unread_bytes if self._files else 0

    def standing(self) -> Standing | None:
        """Of its files."""
        return self._files.standing() if self._files else None

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """The files' records, from where each was left, with what their paths say."""
        facts = lru_cache(maxsize=1024)(self.config.facts)
        self._files = FileInput(self.config, self.context)
        async with aclosing(self._files.batches(cursors)) as batches:
            async for batch in batches:
                shared = batch.metadata or {}
                yield replace(batch, metadata={**shared, **facts(str(shared.get("log_file", "")))})
