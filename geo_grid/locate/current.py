"""Keeps a snapshot of the city in memory, fresh, and answers from it; from PostGIS where it cannot."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import psycopg
from psycopg.rows import DictRow, dict_row

from geo_grid.db import Reading
from geo_grid.errors import DatabaseUnavailable, GeoGridError, UnreadableFile
from geo_grid.locate.answers import Location
from geo_grid.locate.city import QUERIES as CITY_QUERIES
from geo_grid.locate.city import CityIndex, open_city, saved_name
from geo_grid.locate.lookup import locate, refuse_swapped, refuse_swapped_in
from geo_grid.locate.seen import Seen
from geo_grid.locate.snapshot import QUERIES, Snapshot, read_state

log = logging.getLogger(__name__)

_POLL_S = 1.0
"""How often the state is asked for when nothing is announced."""
_TRUSTED_S = 10.0
"""How long a snapshot answers after it was last seen to be current: rides over a restart of the database."""
_FIRST_S = 60.0
"""How long a server waits for its first snapshot before it serves without; compiled once, it takes a second."""
_PATIENCE_S = 5.0
"""How long the database may take to tell its state before the connection counts as lost."""


class Locations:
    """Answers who is responsible for a point.

    From memory while that is known to be current, else from PostGIS; both give the same answer. The
    snapshot is replaced whole, so no answer mixes two editions.
    """

    def __init__(self, conninfo: str, folder: Path) -> None:
        """Make one that saves compiled editions in `folder`; `conninfo` is of somebody who sees the whole city."""
        self._conninfo = conninfo
        self._folder = folder
        self._snapshot: Snapshot | None = None
        self._tried = asyncio.Event()
        self._confirmed = float("-inf")  # on this process's clock
        self._confirmed_at = datetime.min.replace(tzinfo=UTC)  # on the database's clock
        self._trouble = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, conninfo: str, folder: Path) -> AsyncIterator[Self]:
        """Keep one fresh while the context lasts; begins once the first snapshot was tried for."""
        locations = cls(conninfo, folder)
        task = asyncio.create_task(locations._keep())
        try:
            # PostGIS can answer, but a busy server without its snapshot would stay busy
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(locations._tried.wait(), _FIRST_S)
            yield locations
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def snapshot(self) -> Snapshot | None:
        """Return the snapshot if it is known to be current."""
        found = self._snapshot
        age = time.monotonic() - self._confirmed
        if found is None or age > _TRUSTED_S:
            return None
        if found.state.until is not None and self._confirmed_at + timedelta(seconds=age) >= found.state.until:
            return None
        return found

    async def locate(
        self, reading: Reading, seen: Seen, lon: float, lat: float, at: datetime | None, positional_error_m: float
    ) -> Location:
        """Say who is responsible for a point; see `lookup.locate`.

        Parameters
        ----------
        reading
            Opens a transaction on behalf of whoever asks, where PostGIS must answer.
        seen
            What they may see, where memory answers.
        """
        found = self.snapshot() if at is None else None
        if found is not None:
            return found.locate(lon, lat, positional_error_m, seen)
        async with reading() as connection:
            return await locate(connection, lon, lat, at, positional_error_m)

    async def refuse_swapped(self, reading: Reading, seen: Seen, lon: float, lat: float) -> None:
        """Refuse lon, lat outside the city when lat, lon lies inside it; see `lookup.refuse_swapped`."""
        found = self.snapshot()
        if found is not None:
            refuse_swapped_in(found.city.cells.bounds if seen.everywhere else seen.bounds, lon, lat)
            return
        async with reading() as connection:
            await refuse_swapped(connection, lon, lat)

    async def city(self, reading: Reading, at: datetime | None = None) -> CityIndex:
        """Return the compiled edition in force at a moment; a past one is compiled when first asked for."""
        found = self.snapshot() if at is None else None
        if found is not None:
            return found.city
        async with reading() as connection:
            row = await (await connection.execute(CITY_QUERIES["edition_in_force"], {"at": at})).fetchone()
        saved = await self._in_worker(row["edition"] if row else None)
        return await asyncio.to_thread(CityIndex.load, saved)

    async def _keep(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, row_factory=dict_row, autocommit=True
                ) as connection:
                    await connection.execute("listen geo_grid_changes")
                    while True:
                        await self._refresh(connection)
                        self._tried.set()
                        self._say("")
                        async for _ in connection.notifies(timeout=_POLL_S, stop_after=1):
                            pass
            except (psycopg.Error, GeoGridError, OSError, BrokenExecutor, TimeoutError) as error:
                self._say(f"{type(error).__name__}: {error}".strip())
            self._tried.set()
            await asyncio.sleep(_POLL_S)

    async def _refresh(self, connection: psycopg.AsyncConnection[DictRow]) -> None:
        """Ask for the state, and replace the snapshot when it stands on another."""
        async with asyncio.timeout(_PATIENCE_S):
            row = await (await connection.execute(QUERIES["state"])).fetchone()
        asked = time.monotonic()
        if row is None:
            message = "the statement state returned no row"
            raise AssertionError(message)
        if not row["sees_all"]:
            message = "the server was not admitted to the whole city yet"
            raise DatabaseUnavailable(message)
        state = read_state(row)
        if self._snapshot is None or self._snapshot.state != state:
            self._confirmed = float("-inf")  # known to be out of date: PostGIS answers until the next is read
            saved = self._folder / saved_name(state.edition, row["published_at"])
            try:
                fresh = await asyncio.to_thread(Snapshot.read, self._conninfo, saved)
            except UnreadableFile:
                # before the first snapshot nobody is served yet, so a thread will do, and starts sooner
                build = self._in_worker if self._snapshot is not None else self._in_thread
                saved = await build(state.edition)
                fresh = await asyncio.to_thread(Snapshot.read, self._conninfo, saved)
            if fresh.city.edition != fresh.state.edition:
                return  # another edition came into force meanwhile: the next round builds it
            self._snapshot = fresh
            # 100,000 lasting objects: walking through them again and again would hold up requests for 100 ms
            gc.freeze()
        self._confirmed, self._confirmed_at = asked, row["now"]

    async def _in_thread(self, edition: int | None) -> Path:
        return await asyncio.to_thread(open_city, self._conninfo, self._folder, edition)

    async def _in_worker(self, edition: int | None) -> Path:
        # a process of its own: compiling takes a second in which this one goes on answering
        pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, open_city, self._conninfo, self._folder, edition)
        finally:
            pool.shutdown(wait=False)

    def _say(self, trouble: str) -> None:
        """Log a trouble once, not every second."""
        if trouble and trouble != self._trouble:
            log.warning("the point index is not being refreshed, PostGIS answers meanwhile: %s", trouble)
        self._trouble = trouble
