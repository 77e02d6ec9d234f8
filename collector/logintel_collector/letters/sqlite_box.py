"""The letter box of `logintel run`: table dead_letters of its SQLite file, and the way back into that file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from logintel.bus import Record
from logintel.config.section import Section
from logintel.config.version import config_version
from logintel.dead_letter import DeadLetter
from logintel.letter_box import Found, StaysHere
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.refused import Refused
from logintel_collector.alert import Changes
from logintel_collector.letters.record import record_of, source_of
from logintel_collector.processor import Processed, Processor
from logintel_collector.stores.errors import StoreError, explained
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_apply import LETTER_COLUMNS
from logintel_collector.stores.sqlite_file import open_reader

_ALL: Final = f"SELECT {', '.join(LETTER_COLUMNS)} FROM dead_letters WHERE dropped_at IS NULL ORDER BY created_at"  # noqa: S608 - ours


class SqliteBox:
    """See LetterBox. Letters are shown while `logintel run` runs; what changes the file waits for its end."""

    def __init__(self, path: Path, data: Path, config: Section) -> None:
        """`data`: the directory that a run locks."""
        self._path, self._data = path, data
        self._processor = Processor(lambda: datetime.now(UTC), config_version=config_version(config))

    async def letters(self) -> AsyncIterator[Found]:
        """See LetterBox."""
        try:
            with closing(open_reader(self._path)) as connection, explained(self._path):
                rows = connection.execute(_ALL).fetchall()
        except StoreError as error:
            raise Refused(str(error)) from error
        for row in rows:
            letter = DeadLetter(*row)
            yield Found(letter, source_of(letter), None)

    async def drop(self, found: Sequence[Found]) -> int:
        """See LetterBox."""
        async with self._opened() as store:
            return await store.drop_letters([each.letter for each in found])

    async def replay(self, found: Sequence[Found]) -> list[tuple[Found, str]]:
        """See LetterBox: all that the file takes is the processor's."""
        stay: list[tuple[Found, str]] = []
        async with self._opened() as store:
            for each in found:
                try:
                    await self._store(store, record_of(each.letter))
                    await store.remove_letters([each.letter])
                except StaysHere as error:
                    stay.append((each, str(error)))
        return stay

    async def forward(self, record: Record) -> None:
        """Store the event of a letter that the agent kept. Raises StaysHere, Refused."""
        async with self._opened() as store:
            await self._store(store, record)

    def notes(self) -> list[str]:
        """See LetterBox."""
        return []

    async def close(self) -> None:
        """See LetterBox: nothing is open."""

    async def _store(self, store: Store, record: Record) -> None:
        """Without a change to any rule: an old event must not wake anybody up. Raises StaysHere."""
        processed = Processed()
        processed.documents = [document for document, _ in self._processor.replay(record, processed)]
        if processed.dead_letters:
            raise StaysHere(f"it is refused again: {processed.dead_letters[0].error}")
        await store.apply(processed, Changes(), await store.offset())

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Store]:
        try:
            lock = DirectoryLock(self._data)
        except DirectoryLocked as error:
            raise Refused(f"{error}: stop `logintel run` first") from error
        except OSError as error:
            raise Refused(f"{self._data}: {error.strerror}: run this as its owner, or as root") from error
        try:
            store = await Store.open(self._path)
            try:
                yield store
            finally:
                await store.close()
        except StoreError as error:
            raise Refused(str(error)) from error
        finally:
            lock.release()
