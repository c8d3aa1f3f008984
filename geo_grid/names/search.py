"""Finding what has a name: the index proposes, the database says what of it whoever asks may see, and where it is now."""

import asyncio
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, Field

from geo_grid.changes import Table
from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import AsyncConnection, Connection, connect, load_queries
from geo_grid.derived import Derived, DerivedStates
from geo_grid.locate.seen import Seen
from geo_grid.names.index import MATCHES, Entry, Hit, Match, Names, folded
from geo_grid.names.pinyin import first_letters

QUERIES = load_queries("geo_grid.names", "names.sql")
_AT_ONCE = 60
_MOST_ASKED = 600
"""Hits that the database is asked about at most: who sees a small part of the city finds what is in it among these."""
_AND = re.compile(r"\s*(?:与|和|[/&+×]|\s+and\s+|\s+x\s+|\s)\s*", re.IGNORECASE)
_CROSSING = re.compile(r"(?:交叉(?:路)?口|路口|交汇处|口|crossing)$", re.IGNORECASE)
_MOST_ROADS = 20


class Found(BaseModel):
    """Something that has a name."""

    kind: Literal[
        "grid_cell", "patrol_zone", "police_post", "patrol_unit", "camera", "facility", "registered_place", "road",
        "crossing", "place",
    ]  # fmt: skip
    code: str = Field(description="its code; of a road its name, of a place of the base map its number")
    name: str
    about: str = Field(
        description="what tells it from others of its name: the cell above, who is responsible, a telephone"
    )
    lon: float = Field(description="degrees, EPSG:4490")
    lat: float
    distance_m: float | None = Field(description="metres on the ellipsoid from the place that was asked about")
    match: Match


class Search:
    """Finds names; one for a server."""

    def __init__(self, conninfo: str, states: DerivedStates) -> None:
        """`conninfo`: connection string of a role that sees the whole city."""
        self._conninfo = conninfo
        places = (
            Table.EDITIONS,
            Table.POLICE_POSTS,
            Table.FACILITIES,
            Table.REGISTERED_PLACES,
            Table.ROADS,
            Table.BASE_FEATURES,
        )
        self._parts = [
            _Kept(states.declare(name, tables, read, size=lambda names: names.size))
            for name, tables, read in (
                ("names", places, lambda: self._read("entries")),
                ("names_of_cameras", (Table.CAMERAS,), lambda: self._read("cameras")),
            )
        ]

    async def find(
        self, connection: AsyncConnection, seen: Seen, wanted: str, near: tuple[float, float] | None, limit: int
    ) -> list[Found]:
        """Return what is called so and may be seen, the best first.

        Parameters
        ----------
        connection
            A transaction with the rights of whoever asks.
        seen
            What they may see: names within their cells come first.
        wanted
            See `Names.find`; two names of roads with 与, 和, /, & or a space between them are their crossing.
        near
            Lon, lat in degrees, EPSG:4490; None: distances do not count.
        """
        if not folded(wanted):
            return []
        parts = [await part.names() for part in self._parts]
        units = await self._units(connection, wanted.strip(), near, limit)
        crossings = await self._crossings(connection, parts[0], wanted, near, limit)
        found = [*units, *crossings]
        for names in parts:
            found += await self._seen(connection, names.find(wanted, near, seen.bounds), near, limit)
        return sorted(found, key=lambda one: MATCHES.index(one.match))[:limit]  # stable: within a match as they came

    async def _seen(
        self, connection: AsyncConnection, hits: Iterator[Hit], near: tuple[float, float] | None, limit: int
    ) -> list[Found]:
        found: list[Found] = []
        asked = 0
        while len(found) < limit and asked < _MOST_ASKED:
            some = await _first(hits, _AT_ONCE if asked else limit)
            if not some:
                break
            asked += len(some)
            entries = [hit.entry for hit in some]
            values = {"kinds": [one.kind for one in entries], "codes": [one.code for one in entries],
                      "lons": [one.lon for one in entries], "lats": [one.lat for one in entries]}  # fmt: skip
            rows = await (await connection.execute(QUERIES["seen"], values)).fetchall()
            for row in rows:
                hit = some[row["number"] - 1]
                found.append(_found(hit.entry.kind, hit.entry.code, row, hit.match, near))
        return found[:limit]

    async def _units(
        self, connection: AsyncConnection, wanted: str, near: tuple[float, float] | None, limit: int
    ) -> list[Found]:
        lon, lat = near or (0.0, 0.0)
        values = {"wanted": wanted, "lon": lon, "lat": lat, "limit": limit}
        rows = await (await connection.execute(QUERIES["units"], values)).fetchall()
        return [_found("patrol_unit", row["code"], row, _match(wanted, row["code"], row["name"]), near) for row in rows]

    async def _crossings(
        self, connection: AsyncConnection, names: Names, wanted: str, near: tuple[float, float] | None, limit: int
    ) -> list[Found]:
        both = [part for part in _AND.split(_CROSSING.sub("", wanted.strip())) if part]
        if len(both) != 2:
            return []
        ones, others = [
            sorted({hit.entry.name for hit in await _first(names.find(part, near, kinds=["road"]), _MOST_ROADS)})
            for part in both
        ]
        if not ones or not others:
            return []
        values = {"ones": ones, "others": others, "limit": limit}
        rows = await (await connection.execute(QUERIES["crossings"], values)).fetchall()
        return [
            _found(
                "crossing",
                f"{row['one']} / {row['other']}",
                {**row, "name": f"{row['one']} × {row['other']}", "about": ""},
                "exact",
                near,
            )
            for row in rows
        ]

    def _read(self, query: str) -> Names:
        with connect(self._conninfo) as connection:
            return Names(_entries(connection, query), first_letters())


async def _first(hits: Iterator[Hit], count: int) -> list[Hit]:
    """Return the next hits, looked for in a thread: many words in many names take some tens of milliseconds."""
    return await asyncio.to_thread(lambda: list(islice(hits, count)))


class _Kept:
    """An index that may be some seconds old: a name that was just given is found a moment later, and nobody waits for it."""

    def __init__(self, state: Derived[Names]) -> None:
        self._state = state
        self._last: Names | None = None
        self._reading: asyncio.Task[Names] | None = None

    async def names(self) -> Names:
        held = self._state.held()
        if held is not None:
            self._last = held
            return held
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._state.read))
        if self._last is not None:
            return self._last
        return await asyncio.shield(self._reading)


def _entries(connection: Connection, query: str) -> Iterator[Entry]:
    with connection.cursor(name="names") as cursor:  # rows come in parts
        cursor.itersize = 5_000
        for row in cursor.execute(QUERIES[query]):
            yield Entry(row["kind"], row["code"], row["name"], row["lon"], row["lat"])


def _match(wanted: str, code: str, name: str) -> Match:
    said = wanted.lower()
    if said in (code.lower(), name.lower()):
        return "exact"
    return "beginning" if code.lower().startswith(said) or name.lower().startswith(said) else "inside"


def _found(kind: str, code: str, row: dict[str, Any], match: Match, near: tuple[float, float] | None) -> Found:
    lon, lat = row["lon"], row["lat"]
    metres = None if near is None else round(ELLIPSOID.inv(*near, lon, lat)[2], 1)
    return Found.model_validate(
        {"kind": kind, "code": code, "name": row["name"], "about": row["about"], "lon": round(lon, 8), "lat": round(lat, 8),
         "distance_m": metres, "match": match}
    )  # fmt: skip
