"""The supervisor: starts the workers, keeps them running, and speaks for all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import Any, Final

from logintel.refused import Refused
from logintel_agent.config import AgentConfig
from logintel_agent.seating import Seating
from logintel_agent.status import Status, joined
from logintel_agent.worker import Worker
from logintel_agent.worker_link import Apply, AskStatus, AskStreamCounts, Start

#: Seconds for a worker's answer about itself, and for putting a configuration into effect (it waits for what is sent).
_ANSWER: Final = 5.0
_APPLY: Final = 50.0


class Supervisor:
    """Runs `config` in the workers of `seating`. `tell` is given what a person should know, at the end."""

    def __init__(self, config: AgentConfig, seating: Seating, tell: Callable[[str], None], *, once: bool) -> None:
        self._config, self._seating, self._tell, self._once = config, seating, tell, once
        self._workers = [Worker(number, self._start(number)) for number in range(seating.workers)]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and every worker has ended; in a run that ends, until all have."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(worker.run(stop, once=self._once))

    async def apply(self, config: AgentConfig, changed: Container[str] = ()) -> None:
        """See Agent. When one worker refuses, the others go back; one that does not run now will start with the new."""
        before, self._config = self._config, config
        names = frozenset(source.name for source in config.sources if source.name in changed)
        asked = [worker for worker in self._workers if worker.pid is not None]
        answers = await _all(asked, Apply(config, names))
        refusals = [answer for answer in answers if isinstance(answer, Refused)]
        if refusals:
            self._config = before
            done = [worker for worker, answer in zip(asked, answers, strict=True) if answer not in refusals]
            await _all(done, Apply(before, names))
            raise refusals[0]

    async def stream_counts(self) -> dict[str, int]:
        """Streams that have cursors, by source."""
        counts = Counter[str]()
        for worker in self._workers:
            with suppress(Refused):  # of one that is being started again nothing is known
                counts.update(await worker.ask(AskStreamCounts(), _ANSWER))
        return counts

    async def status(self, *, streams: bool) -> Status:
        """See status; with each worker's process."""
        parts, reasons = [], []
        for worker in self._workers:
            try:
                parts.append(await worker.ask(AskStatus(streams), _ANSWER))
            except Refused as error:
                reasons.append(str(error))
        workers = [{"number": each.number, "pid": each.pid, "restarts": each.restarts} for each in self._workers]
        return {**joined(parts), "workers": workers, "reasons": reasons}

    @property
    def summary(self) -> dict[str, Any]:
        """What the workers say that they did."""
        done = [worker.done for worker in self._workers if worker.done]
        for problem in (problem for each in done for problem in each.problems):
            self._tell(problem)
        return {
            "events_sent": sum(each.summary["events_sent"] for each in done),
            "dropped": dict(sum((Counter(each.summary["dropped"]) for each in done), Counter[str]())),
            "dead_letters": sum(each.summary["dead_letters"] for each in done),
        }

    def _start(self, number: int) -> Callable[[], Start]:
        return lambda: Start(self._config, number, self._seating, self._once)


async def _all(workers: Sequence[Worker], message: Apply) -> list[Refused | None]:
    """Ask all at the same time; for each why it refused, None where it did not."""

    async def ask(worker: Worker) -> Refused | None:
        try:
            await worker.ask(message, _APPLY)
        except Refused as error:
            return error
        return None

    return await asyncio.gather(*map(ask, workers))
