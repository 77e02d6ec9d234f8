"""kill -9 of a writer at random moments: every record it was promised is read, none twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from logintel.bus.segment_log import SegmentLog

MIB = 1024 * 1024
WRITER = """
import asyncio, os, sys
from pathlib import Path
from logintel.bus.segment_log import SegmentLog

async def keep_writing(log, worker):
    number = 0
    while True:
        batch = [b"%d %d %d " % (os.getpid(), worker, number + i) + b"." * 500 for i in range(7)]
        await log.append(batch).durable
        number += 7
        os.write(1, b"%d %d %d\\n" % (os.getpid(), worker, number))

async def main():
    log = SegmentLog(Path(sys.argv[1]), 10**9, segment_bytes=100_000)
    await asyncio.gather(*(keep_writing(log, worker) for worker in range(5)))

asyncio.run(main())
"""


def test_every_acknowledged_record_survives_kill_9(tmp_path: Path) -> None:
    promised: set[bytes] = set()
    seed = random.randrange(10**6)
    pause = random.Random(seed)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            said = writer.stdout.readline()
            time.sleep(pause.uniform(0, 0.15))
            os.kill(writer.pid, signal.SIGKILL)
            for line in (said + writer.stdout.read()).splitlines():
                pid, worker, count = line.split()
                promised |= {b"%s %s %d" % (pid, worker, number) for number in range(int(count))}

    async def run() -> None:
        log = SegmentLog(tmp_path, 1000 * MIB)
        reader = log.reader(0)
        found: list[bytes] = []
        numbers: list[int] = []
        async with asyncio.timeout(20):
            while log.last > (numbers[-1] if numbers else 0):
                for number, payload in (await reader.read(1000)).entries:
                    numbers.append(number)
                    found.append(payload.rstrip(b".").strip())
        assert numbers == sorted(set(numbers))
        assert len(found) == len(set(found)), f"a record was read twice, seed {seed}"
        assert promised <= set(found), f"a promised record is missing, seed {seed}"
        assert log.damage.records == 0
        reader.close()
        await log.close()

    assert len(promised) > 100
    asyncio.run(run())
