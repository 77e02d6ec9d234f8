"""The fault bench, a short run: what was written through faults of files, agent and Kafka arrives, once."""

from __future__ import annotations

from pathlib import Path

from faults.bench import Course, run

COURSE = Course(
    lines=50_000, seed=223, seconds=8, pauses=(0.1, 0.6), lasting=(0.2, 1.0), rotation=1.5, kills=0, workers=1
)


def test_what_was_written_through_faults_arrives_once(tmp_path: Path) -> None:
    print(f"seed {COURSE.seed}; the faults with their times: {tmp_path / 'faults.log'}")
    outcome = run(tmp_path, COURSE)
    assert outcome.clean, outcome.report()
    kinds = {kind.partition(":")[0] for kind in outcome.history.counts()}
    assert kinds == {"agent", "kafka", "file"}
