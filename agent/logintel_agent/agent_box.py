"""The agent's letter box: the letters that every worker on this host has kept, in files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeAlias

from logintel.bus import Record
from logintel.letter_box import Found, StaysHere
from logintel.refused import Refused
from logintel_agent.agent_letters import AgentLetters
from logintel_agent.config import AgentConfig
from logintel_agent.letter_reentry import Reentry

#: Sends a record on and returns when it is kept there. Raises StaysHere, Refused.
Forward: TypeAlias = Callable[[Record], Awaitable[None]]


class AgentBox:
    """See LetterBox. The agent may run or not."""

    def __init__(self, config: AgentConfig, forward: Forward, close: Callable[[], Awaitable[None]]) -> None:
        self._letters = AgentLetters(config.agent.data_dir, config.agent.dead_letters)
        self._reentry = Reentry(config)
        self._forward, self._close = forward, close

    async def letters(self) -> AsyncIterator[Found]:
        """See LetterBox."""
        try:
            for place in self._letters.find():
                yield Found(place.kept.letter, place.kept.source, place)
        except OSError as error:
            advice = "run this as the user of the agent, or as root"
            raise Refused(f"{error.filename}: {error.strerror}: {advice}") from error

    async def drop(self, found: Sequence[Found]) -> int:
        """See LetterBox."""
        return self._letters.remove(each.place for each in found)

    async def replay(self, found: Sequence[Found]) -> list[tuple[Found, str]]:
        """See LetterBox. What is sent before it is taken away, a kill has sent once more."""
        stay: list[tuple[Found, str]] = []
        done: list[Found] = []
        try:
            for each in found:
                try:
                    value = self._reentry.value(each.place.kept)
                    await self._forward(Record(value, each.letter.stream, each.letter.seq))
                except StaysHere as error:
                    stay.append((each, str(error)))
                else:
                    done.append(each)
        finally:
            await self.drop(done)
        return stay

    def notes(self) -> list[str]:
        """See LetterBox."""
        dropped = sorted(self._letters.dropped.items())
        said = [f"{count} more were dropped for agent.dead_letters.{bound}" for bound, count in dropped]
        if self._letters.damaged:
            said.append(f"{self._letters.damaged} lines are torn or damaged and left out")
        return said

    async def close(self) -> None:
        """See LetterBox."""
        await self._close()
