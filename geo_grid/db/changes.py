"""Notices what others changed in the database: announced at once, asked for every second."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Self

import psycopg
from psycopg.rows import dict_row

from geo_grid.db.connections import AsyncConnection
from geo_grid.db.queries import load_queries

log = logging.getLogger(__name__)

QUERIES = load_queries("geo_grid.db", "changes.sql")
CHANNEL = "geo_grid_changes"
_POLL_S = 1.0


async def table_versions(connection: AsyncConnection) -> dict[str, int]:
    """Return how often each table has changed, in the state of the database that the transaction sees."""
    rows = await (await connection.execute(QUERIES["versions"])).fetchall()
    return {row["table_name"]: row["version"] for row in rows}


class Changes:
    """Tells when tables changed, and since when that is not known for certain."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._versions: dict[str, int] = {}
        self._confirmed = float("-inf")
        self._listeners: list[Callable[[set[str]], None]] = []
        self._pulse = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def watched(cls, conninfo: str) -> AsyncIterator[Self]:
        """Watch while the context lasts."""
        changes = cls(conninfo)
        task = asyncio.create_task(changes._watch())
        try:
            yield changes
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def on_change(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` with the names of the tables that changed, on the event loop."""
        self._listeners.append(listener)

    def age_s(self) -> float:
        """Seconds since nothing was known to have changed unnoticed."""
        return time.monotonic() - self._confirmed

    def versions(self, tables: Iterable[str]) -> tuple[int, ...]:
        """Return how often each table is known to have changed; the counts are the database's, and outlive a restart."""
        return tuple(self._versions.get(table, 0) for table in tables)

    async def event(self, patience_s: float) -> None:
        """Wait until something is said to have happened, or `patience_s` have passed."""
        pulse = self._pulse
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pulse.wait(), patience_s)

    async def _watch(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, row_factory=dict_row, autocommit=True
                ) as connection:
                    await connection.execute("listen " + CHANNEL)
                    while True:
                        asked = time.monotonic()
                        self._compare(await table_versions(connection))
                        self._confirmed = asked
                        async for said in connection.notifies(timeout=_POLL_S, stop_after=1):
                            if said.payload == "events":
                                self._tell()
            except (psycopg.Error, OSError) as error:
                log.info("changes are not watched: %s", error)
            await asyncio.sleep(_POLL_S)

    def _compare(self, versions: dict[str, int]) -> None:
        changed = {name for name in versions | self._versions if versions.get(name) != self._versions.get(name)}
        self._versions = versions
        if changed:
            for listener in self._listeners:
                listener(changed)

    def _tell(self) -> None:
        # whoever waits holds the old pulse; whoever comes later waits for the next one
        done, self._pulse = self._pulse, asyncio.Event()
        done.set()
