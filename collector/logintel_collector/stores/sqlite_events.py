"""Events in the SQLite file as the analyst reads them: beside the writer, on a connection and a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from logintel_collector.analytics.latency import Latency, coarse
from logintel_collector.analytics.look import Place
from logintel_collector.analytics.measures import Measures
from logintel_collector.analytics.point import ALL, DIMENSIONS, PERIODS, Period, day_of, moment, runs
from logintel_collector.analytics.rollup import Row
from logintel_collector.processor import AcceptedRange
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_file import open_reader

#: Rows in memory at once.
_PAGE: Final = 2000
_RANGE: Final = AcceptedRange()
#: Of a row of log_entries: its date cannot be believed (its document would be in the index of outliers).
_OUTLIER: Final = (
    f"(substr(timestamp, 1, 10) NOT BETWEEN date(substr(created_at, 1, 10), '-{_RANGE.past.days} days') "
    f"AND date(substr(created_at, 1, 10), '+{_RANGE.future.days} days'))"
)
#: The first day that events happened or, where they are outliers, came; and the last number.
_PLACES: Final = """
    SELECT min((SELECT min(timestamp) FROM log_entries), (SELECT min(created_at) FROM log_entries)),
        (SELECT max(document_id) FROM log_entries)
"""
_TOUCHED: Final = f"""
    SELECT DISTINCT CASE WHEN substr(timestamp, 1, 10) <> substr(created_at, 1, 10) AND {_OUTLIER}
        THEN substr(created_at, 1, 16) ELSE substr(timestamp, 1, 16) END
    FROM log_entries WHERE document_id > ? AND document_id <= ?
"""  # noqa: S608 - of constants
#: Combinations of all dimensions, counted: they are few where one process stores them. In order of time.
#: What is an outlier is asked with the bounds of one day, since SQLite takes long to compute with dates.
_ROWS: Final = """
    SELECT substr(timestamp, 1, :digits) AS start, source_id, level, category,
        coalesce(nullif(json_extract(body, '$.parsed_fields.host'), ''), json_extract(body, '$.metadata.host')),
        coalesce(nullif(json_extract(body, '$.parsed_fields.service'), ''), json_extract(body, '$.metadata.service')),
        coarse(json_extract(body, '$.latency_ms')),
        count(*), sum(size_bytes), sum(coalesce(level IN ('ERROR', 'FATAL'), 0)), 0
    FROM log_entries INDEXED BY idx_log_entries_timestamp CROSS JOIN documents ON documents.id = document_id
    WHERE timestamp >= :first AND timestamp < :end AND created_at >= :came_from AND created_at < :came_before
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    UNION ALL
    SELECT substr(created_at, 1, :digits), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, count(*)
    FROM log_entries INDEXED BY idx_log_entries_created_at
    WHERE created_at >= :first AND created_at < :end AND (timestamp < :dated_from OR timestamp >= :dated_before)
    GROUP BY 1
    ORDER BY 1
"""
#: Characters of a timestamp that name its period.
_DIGITS: Final[dict[Period, int]] = {"minute": 16, "hour": 13}
_DAY: Final = 86_400
_ZERO: Final = "0000-00-00T00:00:00+00:00"
_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class SqliteEvents:
    """See Events; opened with `SqliteEvents.open`. There is one place. Raises StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._path, self._connection, self._thread = path, connection, thread
        self._oldest = ""

    @classmethod
    async def open(cls, path: Path) -> SqliteEvents:
        """Over a file that the store has opened before."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="analyst")

        def opened() -> sqlite3.Connection:
            connection = open_reader(path)
            connection.create_function("coarse", 1, coarse, deterministic=True)
            return connection

        try:
            return cls(path, await asyncio.get_running_loop().run_in_executor(thread, opened), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """End what was called, then close the file."""
        self._connection.interrupt()
        await self._call(self._connection.close)
        self._thread.shutdown(wait=False)

    async def places(self) -> list[Place]:
        """See Events."""
        ((oldest, last),) = await self._call(self._rows, _PLACES)
        self._oldest = (oldest or "")[:10].replace("-", ".")
        return [Place("log_entries", "", last or 0)]

    async def touched(self, place: Place, after: int, upto: int) -> set[int]:  # noqa: ARG002 - there is one
        """See Events."""
        rows = await self._call(self._rows, _TOUCHED, (after, upto))
        return {_seconds(minute) for (minute,) in rows}

    async def rows(self, period: Period, starts: Sequence[int]) -> AsyncIterator[list[Row]]:
        """See Events."""
        for _, of_day in groupby(starts, day_of):
            for first, end in runs(of_day, PERIODS[period]):
                cursor = await self._call(self._connection.execute, _ROWS, _bounds(period, first, end))
                while page := await self._call(cursor.fetchmany, _PAGE):
                    yield [_row(row) for row in page]

    def keeps(self, day: str) -> bool:
        """See Events."""
        return day >= self._oldest

    def _rows(self, sql: str, arguments: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, arguments).fetchall()

    async def _call(
        self, function: Callable[_Params, _Result], *args: _Params.args, **kwargs: _Params.kwargs
    ) -> _Result:
        def explaining() -> _Result:
            with explained(self._path):
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, explaining)


def _bounds(period: Period, first: int, end: int) -> dict[str, Any]:
    """Of a run within a day; events that are dated then and no outliers have come, others that came then are dated."""
    past, future = _RANGE.past.days, _RANGE.future.days

    def days_on(days: int) -> str:
        return moment(first + days * _DAY)[:10]

    return {
        "digits": _DIGITS[period],
        "first": moment(first)[:19],
        "end": moment(end)[:19],
        "came_from": days_on(-future),
        "came_before": days_on(past + 1),
        "dated_from": days_on(-past),
        "dated_before": days_on(future + 1),
    }


def _seconds(start: str) -> int:
    """Of a timestamp that is cut."""
    return int(datetime.fromisoformat(start + _ZERO[len(start) :]).timestamp())


def _row(columns: tuple[Any, ...]) -> Row:
    start, *values, latency, events, size, errors, outliers = columns
    measures = Measures(events, size, errors, outliers, Latency.of_coarse(latency, events))
    named = zip(DIMENSIONS, (None if value is None else str(value) for value in values), strict=True)
    begin = _seconds(start)
    return Row(("", begin), begin, ((ALL, None), *(named if events else ())), measures)
