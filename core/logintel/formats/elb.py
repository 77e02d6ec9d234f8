"""elb: access logs of Amazon's load balancers (classic and application) and of S3.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.patterns import PatternFormat, compiled

_TARGET = r"(?:-|(?P<target_ip>[^ ]+):(?P<target_port>[0-9]+))"
_REQUEST = r'"(?P<request>(?P<http_method>[A-Z-]+) (?P<url>[^ "]*) (?P<protocol>[^"]*?) ?)"'
_COMMON = (
    rf"(?P<time>[0-9-]{{10}}T[0-9:]{{8}}\.[0-9]{{3,6}}Z) (?P<balancer>[^ ]+) (?P<client>(?P<client_ip>[^ ]+):(?P<client_port>[0-9]+)) {_TARGET} "
    r"(?P<request_seconds>-?[0-9.]+) (?P<target_seconds>-?[0-9.]+) (?P<response_seconds>-?[0-9.]+) (?P<status>[0-9]{3}|-) (?P<target_status>[0-9]{3}|-) "
    rf"(?P<received_bytes>[0-9]+) (?P<bytes>[0-9]+) {_REQUEST}"
)
_TLS = r'(?: "(?P<user_agent>[^"]*)" (?P<tls_cipher>[^ ]+) (?P<tls_version>[^ ]+))?'
_APPLICATION = (
    r'(?: (?P<target_group>[^ ]+) "(?P<trace_id>[^"]*)" "(?P<domain>[^"]*)" "(?P<certificate>[^"]*)" (?P<rule_priority>[^ ]+) (?P<created>[^ ]+) '
    r'"(?P<actions>[^"]*)" "(?P<redirect>[^"]*)" "(?P<error_reason>[^"]*)"(?: "(?P<targets>[^"]*)" "(?P<target_statuses>[^"]*)")?'
    r'(?: "(?P<classification>[^"]*)" "(?P<classification_reason>[^"]*)")?)?'
)


class ElbFormat(PatternFormat):
    name: ClassVar[str] = "elb"
    mentions = False
    patterns = compiled(
        rf"(?P<message>(?P<type>https?|h2|grpcs|wss?) {_COMMON}{_TLS}{_APPLICATION}.*)",
        rf"(?P<message>{_COMMON}{_TLS}.*)",
        r"(?P<message>(?P<owner>[0-9a-f]{64}) (?P<bucket>[^ ]+) \[(?P<time>[^\]]+)\] (?P<client_ip>[^ ]+) (?P<requester>[^ ]+) (?P<request_id>[^ ]+) (?P<operation>[A-Z0-9_.]+) (?P<key>[^ ]+) "
        r'"(?P<request>(?P<http_method>[A-Z]+) (?P<path>[^ "]*)(?: (?P<protocol>[^"]*))?)" (?P<status>[0-9]{3}|-) (?P<error_code>[^ ]+) (?P<bytes>[^ ]+) (?P<object_bytes>[^ ]+) (?P<total_ms>[^ ]+) '
        r'(?P<turnaround_ms>[^ ]+) "(?P<referrer>[^"]*)" "(?P<user_agent>[^"]*)"(?: (?P<version_id>[^ ]+))?(?: (?P<host_id>[^ ]+) (?P<signature>[^ ]+) (?P<tls_cipher>[^ ]+) (?P<auth_type>[^ ]+) (?P<endpoint>[^ ]+))?.*)',
    )
