"""The collector's fault bench, a short run: what was sent through faults is stored once, or is a dead letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from collector_faults.bench import Course, run

from logintel_devstack.elasticsearch import Elasticsearch
from logintel_devstack.postgres import Postgres
from logintel_devstack.stack import Stack

COURSE = Course(events=3000, seed=31, seconds=7, pauses=(0.1, 0.8), lasting=(0.2, 1.0), poisons=1, restarts=False)


# The members of a rebalance storm go without a word, in the midst of connecting too.
@pytest.mark.long
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_what_was_sent_through_faults_is_stored_once_or_is_a_dead_letter(tmp_path: Path, devstack: Stack) -> None:
    """Also what no one should send, which users of peers find to stop a whole pipeline."""
    devstack.up(["elasticsearch", "postgres"])
    stores = Elasticsearch(devstack.directory / "elasticsearch"), Postgres(devstack.directory / "postgres")
    print(f"seed {COURSE.seed}; the faults with their times: {tmp_path / 'faults.log'}")
    outcome = run(tmp_path, COURSE, *stores)
    assert outcome.clean, outcome.report()
    kinds = {kind.partition(":")[0] for kind in outcome.history.counts()}
    assert kinds == {"collector", "kafka", "elasticsearch", "postgres"}
