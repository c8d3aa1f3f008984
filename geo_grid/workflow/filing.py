"""Incidents that are reported at the same time are stored together: one transaction, and one wait for the disk, for many."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

import psycopg

from geo_grid.db import Asker, AsyncConnection, fetch_one

TOGETHER = 64
"""Most incidents of one transaction; of more than 100 the feed would only say that all are to be read again."""
_REPORT = "select is_new, (card).* from report_incidents(%(rows)s) order by row_number"

type Row = dict[str, Any]
"""What report_incidents is given of an incident, or answers."""
type Write = Callable[[Asker, int | None, str, Row], Awaitable[list[Row]]]
"""Runs a statement in a transaction of its own with the rights of an asker, who is an account; returns all its rows."""


async def file_in(connection: AsyncConnection, asked: Row) -> Row:
    """Store an incident in the caller's transaction."""
    return await fetch_one(connection, _REPORT, _values([asked]))


def _values(asked: Sequence[Row]) -> Row:
    return {"rows": json.dumps(asked)}


class _Waiting(NamedTuple):
    asked: Row
    stored: asyncio.Future[Row]


class Filing:
    """Collects the incidents of one asker that come in while others of theirs are written, and stores them in one transaction.

    The first is written at once. Those of different askers are never in one transaction: each has one identity, by which the
    database itself decides what may be stored. Belongs on the event loop.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: dict[Asker, deque[_Waiting]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def file(self, asker: Asker, account: int | None, asked: Row) -> Row:
        """Store an incident; committed when this returns. Raises what storing it by itself would raise."""
        asker = asker._replace(request_id="")  # of many requests
        one = _Waiting(asked, asyncio.get_running_loop().create_future())
        if asker in self._waiting:
            self._waiting[asker].append(one)
        else:
            self._waiting[asker] = deque([one])
            writing = asyncio.create_task(self._store_all(asker, account))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)
        return await one.stored

    async def _store_all(self, asker: Asker, account: int | None) -> None:
        waiting = self._waiting[asker]
        try:
            while waiting:
                await self._store(asker, account, [waiting.popleft() for _ in range(min(TOGETHER, len(waiting)))])
        finally:
            del self._waiting[asker]
            _end(waiting, asyncio.CancelledError())

    async def _store(self, asker: Asker, account: int | None, group: Sequence[_Waiting]) -> None:
        try:
            rows = await self._write(asker, account, _REPORT, _values([one.asked for one in group]))
        except psycopg.Error as error:
            if len(group) == 1 or isinstance(error, psycopg.OperationalError):
                _end(group, error)
                return
            for one in group:  # one of them cannot be stored: the others are
                await self._store(asker, account, [one])
        except Exception as error:
            _end(group, error)
        except asyncio.CancelledError as ending:  # the server ends
            _end(group, ending)
            raise
        else:
            for one, row in zip(group, rows, strict=True):
                if not one.stored.done():
                    one.stored.set_result(row)


def _end(group: Iterable[_Waiting], error: BaseException) -> None:
    for one in group:
        if not one.stored.done():  # else who waited for it was cancelled
            one.stored.set_exception(error)
