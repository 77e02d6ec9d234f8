"""The sap source: which log a file is, what its path says, and records that have no line ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from file_reader import Reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sap_records import audit_record
from test_sap_golden import DATA

from logintel.batch import Batch
from logintel.hooks import load_plugins
from logintel.main import main
from logintel.source import InputExhausted, SourceContext
from logintel_sap.kinds import KINDS, Kind, kind_of
from logintel_sap.source import SapConfig, SapSource

FORMATS = load_plugins().formats
RECORDS = [
    audit_record("AU1", "A", "0", "P"),
    audit_record("AU2", "A", "1"),
    audit_record("AU3", "SE16", user="M\xdcLLER"),
]
ENCODINGS = ["latin-1", "utf-16-le", "utf-16-be"]


def read(path: Path, **keys: Any) -> list[Batch]:
    """The batches with events that the source makes of what is there."""
    config = SapConfig(name="s", type="sap", paths=(str(path),), timezone="UTC", **keys)
    source = SapSource(config, SourceContext(once=True, formats=FORMATS))

    async def batches() -> list[Batch]:
        found: list[Batch] = []
        with suppress(InputExhausted):
            async for batch in source.batches({}):
                found += [batch] if batch.events else []
        return found

    return asyncio.run(batches())


def audit_reader(path: Path) -> Reader:
    return Reader((str(path),), {"format": "sap-audit"})


CONTENTS: dict[Kind, bytes] = {
    "security_audit": RECORDS[0].encode("utf-16-be"),
    "developer_trace": b"C Wed Dec 29 13:36:40 2010 \nC  made up\n",
    "hana_trace": (DATA / "hana_indexserver.trc").read_bytes(),
    "hana_audit": (DATA / "synthetic_indexserver_audit_trail.csv").read_bytes(),
    "java_list": (DATA / "synthetic_defaultTrace.0.trc").read_bytes(),
    "gateway": (DATA / "synthetic_gw_log-2026-03-29").read_bytes(),
    "saprouter": (DATA / "synthetic_saprouter.log").read_bytes(),
    "icm_access": (DATA / "synthetic_access_log-2026-03-29").read_bytes(),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_kind_is_told_by_the_content_under_any_name(kind: Kind) -> None:
    assert kind_of("/copied/unnamed", CONTENTS[kind]) == kind


@pytest.mark.parametrize("kind", sorted(CONTENTS.keys() - {"security_audit"}))
def test_the_kind_of_a_text_is_told_in_any_encoding(kind: Kind) -> None:
    text = CONTENTS[kind].decode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-be"):
        assert kind_of("/copied/unnamed", text.encode(encoding)) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/usr/sap/XY1/D00/log/audit_20260329", "security_audit"),
        ("/usr/sap/XY1/D00/log/20260329000001.AUD", "security_audit"),
        ("/usr/sap/XY1/D00/work/dev_w12.old", "developer_trace"),
        ("/usr/sap/XY1/HDB00/hana1/trace/DB_TEN/indexserver_hana1.30003.000.trc", "hana_trace"),
        ("/usr/sap/XY1/HDB00/hana1/trace/indexserver_hana1.30003.audit_trail.csv.gz", "hana_audit"),
        ("/usr/sap/XY1/J00/j2ee/cluster/server0/log/defaultTrace.3.trc", "java_list"),
        ("/usr/sap/XY1/D00/work/gw_log-2026-03-29", "gateway"),
        ("/usr/sap/saprouter/saprouter.log", "saprouter"),
        ("/usr/sap/XY1/W00/work/access_log-2026-03-29", "icm_access"),
        ("/var/log/messages", None),
    ],
)
def test_a_name_tells_the_kind_where_the_content_does_not(path: str, kind: Kind | None) -> None:
    assert kind_of(path, b"? ") == kind


def test_a_file_of_no_kind_is_read_like_any_log_and_kind_overrules_what_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("2026-03-29 03:00:00,123 [main] WARN  c.A - made up\n")
    (batch,) = read(tmp_path / "other")
    assert [(event.level, event.format) for event in batch.events] == [("WARN", "java")]
    (batch,) = read(tmp_path / "other", kind="gateway")
    assert [event.tags for event in batch.events] == [["_unparsed"]]


@pytest.mark.parametrize(
    ("path", "keys", "facts"),
    [
        ("usr/sap/XY1/D07/work", {}, {"sap_sid": "XY1", "sap_instance": "D07", "sap_instance_number": "07", "service": "XY1/D07"}),
        ("hana/shared/XY1/HDB00/hana1/trace/DB_TEN", {},
         {"sap_sid": "XY1", "sap_instance": "HDB00", "sap_instance_number": "00", "sap_tenant": "TEN", "host": "hana1", "service": "XY1/HDB00"}),
        ("usr/sap/XY1/HDB00/hana1/trace", {"host": "told", "service": "shop"},
         {"sap_sid": "XY1", "sap_instance": "HDB00", "sap_instance_number": "00", "host": "told"}),
        ("usr/sap/XY1/SYS/global", {"sid": "AB2", "instance": "ASCS03"},
         {"sap_sid": "AB2", "sap_instance": "ASCS03", "sap_instance_number": "03", "service": "AB2/ASCS03"}),
        ("copied", {}, {}),
    ],
)  # fmt: skip
def test_what_a_path_says_is_on_every_event(
    tmp_path: Path, path: str, keys: dict[str, Any], facts: dict[str, str]
) -> None:
    file = tmp_path / path / "dev_w0"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENTS["developer_trace"])
    (batch,) = read(file, **keys)
    assert batch.metadata == {"log_file": str(file), **facts}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_half_an_audit_record_waits_for_its_other_half(tmp_path: Path, encoding: str) -> None:
    reader, file = audit_reader(tmp_path / "a.aud"), tmp_path / "a.aud"
    data = "".join(RECORDS).encode(encoding)
    size = len(data) // 3
    file.write_bytes(data[: size + 7])
    assert reader.once() == [RECORDS[0].rstrip()]
    assert reader.once() == []
    file.write_bytes(data)
    assert reader.once() == [record.rstrip() for record in RECORDS[1:]]
    assert [span for _, span, _ in reader.taken] == [(at, at + size) for at in range(0, 3 * size, size)]


def test_followed_half_an_audit_record_is_never_cut(tmp_path: Path) -> None:
    reader, file = audit_reader(tmp_path / "a.aud"), tmp_path / "a.aud"
    data = "".join(RECORDS).encode("utf-16-le")

    def grow(size: int) -> None:
        with file.open("ab") as log:
            log.write(data[log.tell() : size])

    grow(407)
    reader.follow(
        *(partial(grow, size) for size in (408, 600, 799, 800, 1000)),
        lambda: grow(1200),
        until=lambda: len(reader.taken) > 2,
    )
    assert reader.texts == [record.rstrip() for record in RECORDS]
    assert not any(isinstance(cursor, dict) and cursor.get("cut") for _, cursor in reader.announced)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 1199), max_size=4), encoding=st.sampled_from(ENCODINGS))
def test_audit_records_are_the_same_however_the_bytes_arrive(tmp_path: Path, cuts: list[int], encoding: str) -> None:
    file = tmp_path / f"{encoding}.aud"
    file.unlink(missing_ok=True)
    data, reader = "".join(RECORDS).encode(encoding), audit_reader(file)
    bounds = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(bounds):
        with file.open("ab") as log:
            log.write(data[start:end])
        reader.once()
    assert reader.texts == [record.rstrip() for record in RECORDS]


def test_half_an_audit_record_that_is_truncated_away_is_no_record_and_is_counted(tmp_path: Path) -> None:
    reader, file = audit_reader(tmp_path / "a.aud"), tmp_path / "a.aud"
    file.write_bytes("".join(RECORDS[:2]).encode("utf-16-le")[:407])
    reader.interrupted(
        lambda batch: bool(batch.events),
        lambda: file.write_bytes(RECORDS[2].encode("utf-16-le")),
        until=lambda: len(reader.taken) == 2,
    )
    assert reader.texts == [RECORDS[0].rstrip(), RECORDS[2].rstrip()]
    assert reader.unread_bytes == 7


def test_an_audit_file_that_is_empty_at_first_gets_the_encoding_of_what_comes(tmp_path: Path) -> None:
    file = tmp_path / "audit_20260329"
    reader = audit_reader(file)
    file.touch()
    assert reader.once() == []
    file.write_bytes(RECORDS[0].encode("utf-16-be"))
    assert reader.once() == [RECORDS[0].rstrip()]


def test_a_rotated_audit_file_is_read_on_and_a_hole_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "a.aud"
    reader = audit_reader(file)
    file.write_bytes((RECORDS[0] + RECORDS[1][:50]).encode("utf-16-le"))
    reader.once()
    file.rename(tmp_path / "a.aud.1")
    with (tmp_path / "a.aud.1").open("ab") as log:
        log.write(RECORDS[1][50:].encode("utf-16-le") + bytes(800) + RECORDS[2].encode("utf-16-le"))
    file.write_bytes(RECORDS[0].encode("utf-16-le"))
    reader.once()
    assert sorted(reader.texts) == sorted(record.rstrip() for record in [RECORDS[0], *RECORDS])


@pytest.mark.parametrize("encoding", [None, "utf-8", "cp1252"])
def test_a_single_byte_encoding_may_be_told_and_another_is_not_for_audit_files(
    tmp_path: Path, encoding: str | None
) -> None:
    (tmp_path / "a.aud").write_bytes("".join(RECORDS).encode("latin-1"))
    (batch,) = read(tmp_path / "a.aud", encoding=encoding)
    assert [event.metadata["user"] for event in batch.events] == ["MADEUP", "MADEUP", "M\xdcLLER"]


def test_damage_inside_an_audit_record_stays_inside_its_field(tmp_path: Path) -> None:
    data = bytearray(RECORDS[0].encode("utf-16-le"))
    data[80:82] = b"\x00\xdc"  # half a pair in the user's name
    (tmp_path / "a.aud").write_bytes(bytes(data))
    (batch,) = read(tmp_path / "a.aud")
    (event,) = batch.events
    assert event.metadata["user"] == "\ufffdADEUP"
    assert event.metadata["terminal"] == "terminal1"
    assert "_damaged" in event.tags


@pytest.mark.parametrize("kind", ["auto", *KINDS])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=900))
def test_no_bytes_end_the_source(tmp_path: Path, kind: str, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    for batch in read(tmp_path / "a", kind=kind):
        assert all(event.raw.strip() for event in batch.events)


def test_what_is_wrong_in_the_configuration_is_told(tmp_path: Path) -> None:
    for keys, said in (({"logformat": "%h"}, "no LOGFORMAT"), ({"kind": "sal"}, "kind"), ({"sid": "xy1"}, "sid")):
        with pytest.raises(ValueError, match=said):
            SapConfig(name="s", type="sap", paths=("x",), **keys)


def test_from_file_to_index(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    log = tmp_path / "usr/sap/XY1/D00/log/audit_20260329"
    log.parent.mkdir(parents=True)
    log.write_bytes("".join(RECORDS).encode("utf-16-le"))
    config = tmp_path / "run.yaml"
    source = {"name": "erp", "type": "sap", "paths": [str(log.parent)], "timezone": "Europe/Berlin"}
    config.write_text(json.dumps({"sources": [source]}))
    data = ["--data", str(tmp_path / "data")]
    assert main(["run", "--config", str(config), *data, "--once"]) == 0
    capsysbinary.readouterr()
    assert main(["search", "metadata.message_id:AU2", *data, "--json"]) == 0
    (found,) = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert (found["level"], found["message"]) == ("WARN", "Logon failed (reason=1, type=A, method=)")
    assert found["timestamp"] == "2026-03-29T01:00:00.000000Z"
    assert found["category"] == "audit"
    assert found["metadata"]["service"] == "XY1/D00"
    assert found["metadata"]["sap_sid"] == "XY1"
