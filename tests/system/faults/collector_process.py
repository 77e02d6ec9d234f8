"""The collector's processor: killed a few times over what the agent has sent, then let finish."""

from __future__ import annotations

import json
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.agent_process import COMMAND
from faults.history import History


@dataclass
class CollectorProcess:
    """The role that drops repeats, with the configuration `config`."""

    config: Path
    dice: random.Random
    history: History

    def set_up(self) -> None:
        """Say where its groups begin."""
        self._finished("setup")

    def finish(self, kills: int) -> dict[str, Any]:
        """Process all there is, in spite of `kills`; what the last run says of itself."""
        words = [*COMMAND, "collector", "run", "--config", str(self.config)]
        with self.config.with_name("collector.log").open("ab") as log:
            for _ in range(kills):
                with self.history.fault("collector: kill -9"):
                    process = subprocess.Popen(words, stdout=log, stderr=log)
                    time.sleep(self.dice.uniform(2, 6))
                    process.kill()
                    process.wait()
        summary: dict[str, Any] = json.loads(self._finished("run", "--once"))["roles"]["processor"]
        return summary

    def _finished(self, *words: str) -> str:
        command = [*COMMAND, "collector", *words, "--config", str(self.config), "--json"]
        with self.config.with_name("collector.log").open("ab") as log:
            return subprocess.run(
                command, check=True, stdout=subprocess.PIPE, stderr=log, text=True, timeout=900
            ).stdout
