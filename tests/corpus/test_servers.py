"""The long logs of the corpus from files over Kafka to Elasticsearch and PostgreSQL: each event once, as one process has it.

Run by `make corpus`, which says in CORPUS where the corpus is.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from installation import Installation, comparable

CORPUS = Path(os.environ["CORPUS"])
RULES = Path(__file__).parents[2] / "examples/rules"
SAME = ("log_id", "level", "message", "category", "size_bytes")
#: Bytes of a long log. One is spread over 536 days, each of which would be an index.
LONG, SPREAD = 20_000, "loghub-hpc-2k"


def test_the_servers_hold_what_one_process_holds(installation: Installation) -> None:
    cases = map(json.loads, (CORPUS / "manifest.jsonl").read_text().splitlines())
    inputs = [CORPUS / case["family"] / case["case"] / case["input"] for case in cases if case["case"] != SPREAD]
    paths = [str(path.resolve()) for path in inputs if path.stat().st_size > LONG]
    sources = [{"name": "corpus", "type": "application", "paths": paths}]
    installation.configure(sources, rules_dir=str(RULES))
    installation.run_in_one_process("one", sources, RULES)
    lines = installation.finished("search", "*", "--data", "one", "--json", "--limit", "0").stdout.splitlines()
    expected = [json.loads(line) for line in lines]
    assert len(expected) > 15_000

    roles = installation.run_once()

    assert {role: roles[role]["done"] for role in ("processor", "indexer", "recorder")} == dict.fromkeys(
        ("processor", "indexer", "recorder"), len(expected)
    )
    assert {counts["dead_letters"] for counts in roles.values() if "dead_letters" in counts} == {0}
    documents = installation.search("*")
    assert len({document["log_id"] for document in documents}) == len(documents)
    assert sum("overflow" in document for document in documents) == roles["indexer"]["mended"]
    assert comparable(documents) == comparable(expected)
    rows = installation.rows("SELECT id::text, log_id, level, message, category, size_bytes FROM log_entries")
    assert Counter(map(str, rows)) == Counter(
        str({"id": d["log_id"], **{key: d[key] for key in SAME}}) for d in documents
    )
