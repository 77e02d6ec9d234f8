"""The formats that come with logintel, and the order in which `auto` tries them."""

from __future__ import annotations

from logintel.formats import Format
from logintel.formats.access import AccessFormat
from logintel.formats.apache_error import ApacheErrorFormat
from logintel.formats.auditd import AuditdFormat
from logintel.formats.auto import AutoFormat
from logintel.formats.cef import CefFormat
from logintel.formats.container import ContainerFormat
from logintel.formats.delimited import DelimitedFormat
from logintel.formats.elb import ElbFormat
from logintel.formats.erlang import ErlangFormat
from logintel.formats.hana import HanaFormat
from logintel.formats.haproxy import HaproxyFormat
from logintel.formats.hpc import HpcFormat
from logintel.formats.java import JavaFormat
from logintel.formats.json import JsonFormat
from logintel.formats.jul import JulFormat
from logintel.formats.klog import KlogFormat
from logintel.formats.logcat import LogcatFormat
from logintel.formats.logfmt import LogfmtFormat
from logintel.formats.mongodb import MongodbFormat
from logintel.formats.monolog import MonologFormat
from logintel.formats.mysql import MysqlFormat
from logintel.formats.mysql_slow import MysqlSlowFormat
from logintel.formats.netfilter import NetfilterFormat
from logintel.formats.nginx_error import NginxErrorFormat
from logintel.formats.plain import PlainFormat
from logintel.formats.postgresql import PostgresqlFormat
from logintel.formats.python import PythonFormat
from logintel.formats.redis import RedisFormat
from logintel.formats.ruby import RubyFormat
from logintel.formats.squid import SquidFormat
from logintel.formats.syslog import SyslogFormat
from logintel.formats.text import TextFormat
from logintel.formats.w3c import W3cFormat
from logintel.formats.websphere import WebsphereFormat
from logintel.hooks import hookimpl

#: Formats that carry no record of another format, the most special first; text takes what the others leave.
LEAVES: tuple[type[Format], ...] = (
    JsonFormat,
    AccessFormat,
    CefFormat,
    NetfilterFormat,
    KlogFormat,
    NginxErrorFormat,
    HaproxyFormat,
    ApacheErrorFormat,
    AuditdFormat,
    LogfmtFormat,
    JulFormat,
    JavaFormat,
    WebsphereFormat,
    PythonFormat,
    PostgresqlFormat,
    MysqlFormat,
    MysqlSlowFormat,
    MongodbFormat,
    RedisFormat,
    LogcatFormat,
    RubyFormat,
    MonologFormat,
    ErlangFormat,
    HanaFormat,
    SquidFormat,
    ElbFormat,
    W3cFormat,
    HpcFormat,
    DelimitedFormat,
    TextFormat,
)
#: All that `auto` tries: what carries records of other formats before what it may carry.
RANKED: tuple[type[Format], ...] = (ContainerFormat, JsonFormat, AccessFormat, SyslogFormat, *LEAVES[2:], PlainFormat)


@hookimpl
def formats() -> list[type[Format]]:
    """Every built-in format."""
    return [*RANKED, AutoFormat]
