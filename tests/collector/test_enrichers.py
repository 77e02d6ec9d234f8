"""The built-in enrichers: what each adds to an event, from real databases, real user agents and tables that change."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from enriching import NOW, enricher, event, processed, source
from structlog.testing import capture_logs

from logintel.enricher import Enricher
from logintel.refused import Refused
from logintel_collector.enrichment import watched_file
from logintel_collector.enrichment.dns import DnsEnricher
from logintel_collector.enrichment.drain import WILDCARD, Drain
from logintel_collector.enrichment.enrichment import Enrichment
from logintel_collector.enrichment.template import TemplateEnricher, mask
from logintel_collector.processor import Processor

GEOIP = Path(__file__).parent / "data/geoip"
CITY, ASN = GEOIP / "GeoIP2-City-Test.mmdb", GEOIP / "GeoLite2-ASN-Test.mmdb"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def added(one: Enricher, metadata: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What an enricher adds to metadata."""
    before = source(event(metadata, **changes))["metadata"]
    found = source(event(metadata, **changes), one)["metadata"]
    assert before.items() <= found.items()
    return {name: value for name, value in found.items() if name not in before}


def test_geoip_places_an_address_by_the_databases() -> None:
    document = source(event({"client_ip": "81.2.69.160"}), enricher("geoip", database=[str(CITY), str(ASN)]))
    assert document["geo_location"] == {"lat": 51.5142, "lon": -0.0931}
    assert document["metadata"]["geo"] == {
        "continent": "EU", "country_code": "GB", "country": "United Kingdom", "region_code": "ENG", "region": "England",
        "city": "London", "timezone": "Europe/London",
    }  # fmt: skip
    both = enricher("geoip", database=[str(ASN), str(CITY)], language="de")
    assert added(both, {"remote_ip": "1.128.0.0"})["geo"] == {"asn": 1221, "as_org": "Telstra Pty Ltd"}
    assert added(both, {"client_ip": "2001:218::1"})["geo"]["country"] == "Japan"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "loopback"), ("10.1.2.3", "private"), ("172.31.255.255", "private"), ("::1", "loopback"),
        ("192.168.0.1", "private"), ("100.64.0.1", "shared"), ("169.254.169.254", "link_local"), ("[fd00::1]", "private"),
        ("fe80::1%eth0", "link_local"), ("::ffff:10.0.0.1", "private"), ("224.0.0.1", "multicast"),
        ("203.0.113.9", "documentation"), ("0.0.0.0", "unspecified"), ("240.0.0.1", "reserved"),
    ],
)  # fmt: skip
def test_geoip_knows_addresses_that_are_nowhere_without_a_database(address: str, network: str) -> None:
    document = source(event({"client_ip": address}), enricher("geoip"))
    assert document["metadata"]["geo"] == {"network": network}
    assert "geo_location" not in document


@pytest.mark.parametrize("value", ["", "-", "web01", "1.2.3", "1.2.3.4.5", 17, None, [], {"a": 1}, ["x"], "9" * 5000])
def test_geoip_leaves_alone_what_is_no_address(value: object) -> None:
    assert added(enricher("geoip", database=str(CITY)), {"client_ip": value}) == {}


def test_geoip_takes_the_first_field_that_holds_an_address() -> None:
    one = enricher("geoip")
    assert added(one, {"client_ip": "-", "peer_ip": "10.0.0.1"}) == {"geo": {"network": "private"}}
    assert added(one, {"ip": ["10.0.0.1", "127.0.0.1"]}) == {"geo": {"network": "private"}}
    assert added(one, {"client_ip": "10.0.0.1", "geo": "mine"}) == {}


def test_geoip_reads_a_database_that_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """geoipupdate renames a new file into place; what is no database leaves the old one in use."""
    monkeypatch.setattr(watched_file, "LOOK_EVERY", 0.0)
    shutil.copy(ASN, tmp_path / "db.mmdb")
    one = enricher("geoip", database=str(tmp_path / "db.mmdb"))
    assert added(one, {"client_ip": "81.2.69.160"}) == {}
    shutil.copy(CITY, tmp_path / "new")
    (tmp_path / "new").replace(tmp_path / "db.mmdb")
    assert added(one, {"client_ip": "81.2.69.160"})["geo"]["city"] == "London"
    (tmp_path / "new").write_bytes(CITY.read_bytes()[:1000])
    (tmp_path / "new").replace(tmp_path / "db.mmdb")
    with capture_logs() as logs:
        assert added(one, {"client_ip": "81.2.69.160"})["geo"]["city"] == "London"
        assert added(one, {"client_ip": "81.2.69.142"})["geo"]["city"] == "London"
    assert [(log["event"], log["effect"]) for log in logs] == [("file_refused", "what it said stays in use")]


def test_geoip_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "db.mmdb").write_text("<html>404</html>")
    with pytest.raises(Refused, match=r"db\.mmdb: .*geoipupdate"):
        enricher("geoip", database=str(tmp_path / "db.mmdb"))


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (FIREFOX, {"browser": "Firefox", "browser_version": "120.0", "os": "Linux"}),
        (GOOGLEBOT, {"browser": "Googlebot", "browser_version": "2.1", "device": "Spider", "bot": True}),
        ("curl/8.5.0", {"browser": "curl", "browser_version": "8.5.0"}),
        ("x" * 100_000, {"browser": "unknown"}),
        ("", None),
        (None, None),
    ],
)
def test_user_agents(agent: str | None, client: dict[str, Any] | None) -> None:
    assert added(enricher("user_agent"), {"user_agent": agent}) == ({} if client is None else {"ua": client})


def test_facts_of_a_host_from_a_file_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers need a restart for a changed lookup table."""
    monkeypatch.setattr(watched_file, "LOOK_EVERY", 0.0)
    (file := tmp_path / "hosts.yaml").write_text("web01: {team: payments, environment: production, rack: 7}\n")
    one = enricher("facts", file=str(file))
    assert added(one, {}) == {"team": "payments", "environment": "production", "rack": 7}
    assert added(one, {"team": "own"}) == {"environment": "production", "rack": 7}
    assert added(one, {"host": "web02"}) == {}
    file.write_text("web02: {team: search}\n")
    assert (added(one, {"host": "web02"}), added(one, {})) == ({"team": "search"}, {})
    file.write_text("web02: [search]\n")
    with capture_logs() as logs:
        assert added(one, {"host": "web02"}) == {"team": "search"}
    assert "line 1: web02: expected facts" in logs[0]["reason"]


def test_facts_of_a_source_from_csv(tmp_path: Path) -> None:
    (file := tmp_path / "sources.csv").write_text('name,team,note\nweb,"a, b",\nother,c,d\n')
    assert added(enricher("facts", by="metadata.source", file=str(file)), {}) == {"team": "a, b"}
    file.write_text("name,team\nweb,a,too many\n")
    with pytest.raises(Refused, match="line 2: more values than columns"):
        enricher("facts", file=str(file))


def test_the_first_rule_that_holds_is_the_category() -> None:
    one = enricher(
        "category",
        rules=[
            {"category": "payment", "where": [{"field": "metadata.path", "prefix": "/pay"}, {"level": ["ERROR"]}]},
            {"category": "failed", "where": {"field": "metadata.status", "pattern": "^5"}},
        ],
    )
    assert source(event({"path": "/pay/1", "status": 500}, level="ERROR"), one)["category"] == "payment"
    assert source(event({"path": "/pay/1", "status": 500}), one)["category"] == "failed"
    assert source(event({"format": "syslog"}), one)["category"] == "system"


def test_levels_by_rules_and_tables() -> None:
    keys: dict[str, Any] = {
        "rules": [{"level": "ERROR", "where": {"field": "metadata.status", "pattern": "^5"}}],
        "tables": [{"field": "metadata.severity", "levels": {"Major": "ERROR", "minor": "WARN", "3": "INFO"}}],
    }
    one = enricher("level", **keys)
    assert source(event({"status": 503, "severity": "minor"}), one)["level"] == "ERROR"
    assert [source(event({"severity": word}), one)["level"] for word in ("MINOR", 3, "other", None)] == [
        "WARN", "INFO", None, None,
    ]  # fmt: skip
    assert source(event({"severity": "major"}, level="INFO"), one)["level"] == "INFO"
    replaced = source(event({"severity": "major"}, level="INFO"), enricher("level", replace=True, **keys))
    assert (replaced["level"], replaced["metadata"]["stated_level"]) == ("ERROR", "INFO")


def test_secrets_that_an_agent_left_in_are_taken_out() -> None:
    one = enricher("redact", rules=["secrets", "ipv4"], key="k" * 32)
    value = event({"client_ip": "81.2.69.160", "note": "token=abcdef123456"}, raw_log="login password=hunter2 é")
    document = source(value, enricher("geoip", database=str(CITY)), one)
    assert document["raw_log"] == document["message"]
    assert document["raw_log"].startswith("login password=[redacted:credential:")
    assert document["size_bytes"] == len(document["raw_log"].encode())
    assert document["metadata"]["client_ip"].startswith("[redacted:ipv4:")
    assert document["metadata"]["geo"]["city"] == "London"
    assert document["metadata"]["host"] == "web01"
    assert "hunter2" not in str(document)
    assert "abcdef123456" not in str(document)


def test_receipts_are_those_of_the_agents_with_the_same_key(tmp_path: Path) -> None:
    def receipt(**keys: Any) -> str:
        return str(source(event(raw_log="password=hunter2"), enricher("redact", rules=["secrets"], **keys))["raw_log"])

    made = receipt(key_file=str(tmp_path / "redaction.key"))
    assert made == receipt(key_file=str(tmp_path / "redaction.key")) != receipt(key="k" * 32)
    assert (tmp_path / "redaction.key").stat().st_mode & 0o077 == 0


def test_what_cannot_be_searched_to_its_end_does_not_go_on() -> None:
    one = enricher("redact", rules=[{"name": "slow", "pattern": "(a+)+$"}], key="k" * 32)
    done = processed([event(), event(raw_log="a" * 60 + "b"), event()], one)
    assert len(done.documents) == 2
    assert [letter.reason for letter in done.dead_letters] == ["redact_failed"]


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("took 17 ms, 12.5% of 0x7f", "took <*> ms, <*> of <*>"),
        ("from 10.0.0.1:443 [::1]", "from <*> [::<*>]"),
        ("id 6b0f9a0e-5b1c-8a35-9a3e-0d6d4c6f0b11 'x y' \"z\"", "id <*> <*> <*>"),
        ("user17 log4j http2", "user17 log4j http2"),
        ("first\nsecond", "first"),
    ],
)
def test_what_varies_by_its_form_is_masked(line: str, masked: str) -> None:
    assert mask(line) == masked


def template(one: Enricher, message: str) -> str:
    found = source(event(raw_log=message), one)["metadata"]["template"]
    assert len(found["id"]) == 12
    return str(found["text"])


def test_what_else_varies_is_learned_and_kept(tmp_path: Path) -> None:
    state = str(tmp_path / "templates.json")
    one = enricher("template", state=state)
    assert isinstance(one, TemplateEnricher)
    line = "session opened for user {} by (uid=0)"
    assert [template(one, line.format(name)) for name in ("ann", "bob")] == [
        "session opened for user ann by (uid=<*>)", "session opened for user bob by (uid=<*>)",
    ]  # fmt: skip
    one.publish()
    learned = f"session opened for user {WILDCARD} by (uid={WILDCARD})"
    assert [template(one, line.format(name)) for name in ("ann", "eve")] == [learned, learned]
    again = enricher("template", state=state)
    assert template(again, line.format("carl")) == learned
    assert template(again, "something else") == "something else"


def test_a_damaged_state_is_learned_again(tmp_path: Path) -> None:
    (tmp_path / "templates.json").write_bytes(b'{"version": 1, "templates": [[1')
    assert template(enricher("template", state=str(tmp_path / "templates.json")), "a b") == "a b"


def test_who_only_looks_learns_and_writes_nothing(tmp_path: Path) -> None:
    one = enricher("template", state=str(tmp_path / "templates.json"), read_only=True)
    redact = enricher("redact", rules=["secrets"], key_file=str(tmp_path / "key"), read_only=True)
    source(event(raw_log="password=hunter2"), one, redact)
    assert list(tmp_path.iterdir()) == []


def test_templates_are_bounded() -> None:
    drain = Drain(room=100, similarity=0.6)
    for number in range(2000):
        drain.learn((f"w{number % 700}", f"x{number}", f"y{number}", "z"))
        drain.learn(("same", f"x{number}", f"y{number}", f"z{number}"))
    assert len(drain.dump()) <= 100
    again = Drain(room=100, similarity=0.6)
    again.load(drain.dump())
    assert again.templates() == drain.templates()


class NameServer(asyncio.DatagramProtocol):
    """A name server that knows one name, says of others that there is none, and is silent about 10.9.9.9."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        name = str(query.question[0].name)
        self.asked.append(name)
        if name.startswith("9.9.9.10."):
            return
        answer = dns.message.make_response(query)
        if name == "7.0.0.10.in-addr.arpa.":
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "PTR", "Db.Example.com."))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


def test_names_are_looked_up_once_and_in_bounded_time() -> None:
    """Logstash's dns filter stalls its pipeline on a slow name server."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        one = enricher("dns", servers="127.0.0.1", port=port, timeout="2s")
        assert isinstance(one, DnsEnricher)
        values = [event({"client_ip": f"10.0.0.{n}"}) for n in (7, 8, 7)] + [event({"client_ip": "127.0.0.1"})]
        processor = Processor(lambda: NOW, enrichment=Enrichment([one]))
        for _ in range(2):
            await processor.prepare(values)
        assert sorted(server.asked) == ["7.0.0.10.in-addr.arpa.", "8.0.0.10.in-addr.arpa."]
        names = [source(value, one)["metadata"].get("client_name") for value in values]
        assert names == ["db.example.com", None, "db.example.com", None]
        silent = enricher("dns", servers="127.0.0.1", port=port, timeout="50ms")
        started = time.monotonic()
        with capture_logs() as logs:
            for n in range(6):
                await silent.prepare([source(event({"client_ip": "10.9.9.9", "n": n}))])
        assert time.monotonic() - started < 60
        assert [log["event"] for log in logs] == ["dns_paused"]
        assert "client_name" not in source(event({"client_ip": "10.9.9.9"}), silent)["metadata"]
        transport.close()

    asyncio.run(run())
