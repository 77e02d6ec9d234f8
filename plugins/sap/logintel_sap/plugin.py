"""The plugin: registers the sap source and the formats of its files."""

from __future__ import annotations

from logintel.formats import Format
from logintel.hooks import hookimpl
from logintel.source import Source
from logintel_sap.developer_trace import DeveloperTraceFormat
from logintel_sap.gateway import GatewayFormat
from logintel_sap.hana_audit import HanaAuditFormat
from logintel_sap.icm_access import IcmAccessFormat
from logintel_sap.java_list import JavaListFormat
from logintel_sap.saprouter import SaprouterFormat
from logintel_sap.security_audit import SecurityAuditFormat
from logintel_sap.source import SapSource


@hookimpl
def source_types() -> list[type[Source]]:
    """The source types of this plugin."""
    return [SapSource]


@hookimpl
def formats() -> list[type[Format]]:
    """The formats of this plugin, for sources of any type."""
    return [
        SecurityAuditFormat,
        DeveloperTraceFormat,
        HanaAuditFormat,
        JavaListFormat,
        GatewayFormat,
        SaprouterFormat,
        IcmAccessFormat,
    ]
