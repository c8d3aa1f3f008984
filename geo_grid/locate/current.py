"""Answers questions about points from a snapshot in memory while that is current, else from PostGIS."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Self

from geo_grid.changes import Table
from geo_grid.db import Reading, connect
from geo_grid.derived import DerivedStates
from geo_grid.errors import DatabaseUnavailable, UnreadableFile
from geo_grid.forking import apart
from geo_grid.locate.answers import Location
from geo_grid.locate.city import QUERIES as CITY_QUERIES
from geo_grid.locate.city import CityIndex, open_city, saved_name
from geo_grid.locate.lookup import locate, refuse_swapped, refuse_swapped_in
from geo_grid.locate.seen import Seen
from geo_grid.locate.snapshot import Snapshot, read_state

_DEPENDS_ON = (Table.EDITIONS, Table.GRID_LEVELS, Table.DUTIES, Table.RESPONSE_CIRCLES)
_FIRST_S = 60.0
"""Longest time in seconds that the start of a server waits for the first snapshot; reading a saved edition takes a second."""
_TRIES = 3
"""Attempts to read a snapshot: an edition may come into force while another is compiled."""


class Locations:
    """Answers who is responsible for a point.

    From memory while that is known to be current, else from PostGIS; both give the same answer. The
    snapshot is replaced whole, so no answer mixes two editions.
    """

    def __init__(self, conninfo: str, folder: Path, states: DerivedStates) -> None:
        """`folder` receives compiled editions; `conninfo` is the connection string of a role that sees the whole city."""
        self._conninfo = conninfo
        self._folder = folder
        self._is_first = True
        self._snapshot = states.declare(
            "point_snapshot", _DEPENDS_ON, self._read,
            size=lambda snapshot: len(snapshot.city.facts), ends_at=lambda snapshot: snapshot.state.ends_at,
        )  # fmt: skip
        self.snapshot = self._snapshot.held
        """Function that returns the snapshot if it is current, else None; see `Derived.held`."""

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, conninfo: str, folder: Path, states: DerivedStates) -> AsyncIterator[Self]:
        """Keep the snapshot current while the context lasts. Entering waits for the first attempt to read it."""
        locations = cls(conninfo, folder, states)
        # PostGIS could answer meanwhile, but under load a server that starts so would never catch up
        async with locations._snapshot.kept(_FIRST_S):
            try:
                yield locations
            finally:
                gc.unfreeze()  # what is left of a server that ends can be freed

    async def locate(
        self, reading: Reading, seen: Seen, lon: float, lat: float, at: datetime | None, positional_error_m: float
    ) -> Location:
        """Return who is responsible for a point; see `lookup.locate`. Call it on the event loop.

        Parameters
        ----------
        reading
            Opens a transaction with the principal's rights, for answers by PostGIS.
        seen
            What the principal may see, for answers from memory.
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
        """Return the index of the edition in force at a moment; the first question about a past one compiles it."""
        found = self.snapshot() if at is None else None
        if found is not None:
            return found.city
        async with reading() as connection:
            row = await (await connection.execute(CITY_QUERIES["edition_in_force"], {"at": at})).fetchone()
        saved = await asyncio.to_thread(self._in_worker, row["edition"] if row else None)
        return await asyncio.to_thread(CityIndex.load, saved)

    def _read(self) -> Snapshot:
        """Read a snapshot; compile the edition in force first if it is not saved yet."""
        for _ in range(_TRIES):
            with connect(self._conninfo) as connection:
                state = read_state(connection)
                connection.commit()  # the snapshot begins a transaction of its own, and compiling takes long
                saved = self._folder / saved_name(state.edition, state.published_at)
                try:
                    fresh = Snapshot.read(connection, saved)
                except UnreadableFile:
                    # before the first snapshot no request is served yet, so compiling may hold the GIL in this process
                    build = self._in_thread if self._is_first else self._in_worker
                    fresh = Snapshot.read(connection, build(state.edition))
            if fresh.city.edition == fresh.state.edition:
                self._is_first = False
                # exempt the snapshot's 100,000 objects from the garbage collector: each full collection would stop all
                # requests for 100 ms; a last one, so that no garbage is exempted with them
                gc.collect()
                gc.freeze()
                return fresh
        message = "one edition after the other comes into force"
        raise DatabaseUnavailable(message)

    def _in_thread(self, edition: int | None) -> Path:
        return open_city(self._conninfo, self._folder, edition)

    def _in_worker(self, edition: int | None) -> Path:
        # in another process: compiling holds the GIL for a second, which would stop all requests
        return apart(open_city, self._conninfo, self._folder, edition)
