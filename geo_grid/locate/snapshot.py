"""A snapshot in memory of everything that answers about points need, read in one transaction."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import numpy as np
import shapely
from psycopg.rows import tuple_row

from geo_grid.db import Connection, load_queries
from geo_grid.errors import DatabaseUnavailable
from geo_grid.locate.answers import Alternative, Duty, Location, OwningCell, OwningZone, Response
from geo_grid.locate.city import CellFacts, CityIndex
from geo_grid.locate.lookup import nowhere
from geo_grid.locate.seen import Seen
from geo_grid.locate.segments import Segments

QUERIES = load_queries("geo_grid.locate", "current.sql")

type _DutyRow = tuple[Literal["grid_lead", "grid_manager", "grid_assistant"], str, str]
"""Role, name and telephone of a person on duty; a `Duty` is made of it when somebody asks: there are 31,505."""


@dataclass(frozen=True)
class State:
    """Version and validity of a snapshot.

    Attributes
    ----------
    edition
        Number of the edition in force; None before the first.
    published_at
        When the edition was published; part of the name of its saved index, see `city.saved_name`.
    ends_at
        When the snapshot ends, in seconds of `time.monotonic`: the next edition or duty begins, or a duty ends.
    """

    edition: int | None
    published_at: datetime | None
    ends_at: float


def read_state(connection: Connection) -> State:
    """Read the state. Raises DatabaseUnavailable when the connection's role does not see the whole city."""
    asked = time.monotonic()
    row = connection.execute(QUERIES["state"]).fetchone() or {}
    if not row["sees_all"]:
        message = "the server was not admitted to the whole city yet"
        raise DatabaseUnavailable(message)
    ends_in_s = row["ends_in_s"]
    return State(row["edition"], row["published_at"], float("inf") if ends_in_s is None else asked + ends_in_s)


class Snapshot:
    """Answers questions about points as of one snapshot of the database. Immutable; may be shared by threads."""

    def __init__(
        self,
        state: State,
        city: CityIndex,
        duties: dict[str, list[_DutyRow]],
        levels: dict[int, tuple[str, str]],
        circles: list[tuple[Response, shapely.Geometry]],
        segments: Segments,
    ) -> None:
        self.state = state
        self.city = city
        self._duties = duties
        self._levels = levels
        self._segments = segments
        self._responses = [response for response, _ in circles]
        self._circles = np.array([geometry for _, geometry in circles], dtype=object)
        shapely.prepare(self._circles)
        self._circle_tree = shapely.STRtree(self._circles)
        self._chains: dict[str, tuple[tuple[OwningCell, OwningCell], ...]] = {}

    @classmethod
    def read(cls, connection: Connection, saved: Path) -> Self:
        """Read a snapshot in one transaction; `saved` is a folder made by `city.open_city`. Blocks for some seconds.

        The caller must check that the edition of the result is the saved one: another may have come into force.

        Parameters
        ----------
        connection
            One without an open transaction; the caller commits the one that is begun.

        Raises
        ------
        UnreadableFile
            The folder has no saved edition.
        DatabaseUnavailable
            The connection's role does not see the whole city.
        """
        city = CityIndex.load(saved)
        connection.execute("set transaction isolation level repeatable read, read only")
        state = read_state(connection)
        levels = connection.execute(QUERIES["levels"]).fetchall()
        return cls(
            state,
            city,
            _read_duties(connection),
            {row["grid_level"]: (row["name_zh"], row["name_en"]) for row in levels},
            _read_circles(connection),
            Segments(connection.execute(QUERIES["segments"]).fetchall()),
        )

    def locate(self, lon: float, lat: float, positional_error_m: float, seen: Seen) -> Location:
        """Return who is responsible for a point; lon, lat in degrees, CGCS2000, on the lattice; the error in metres."""
        leaf, metres, near = self.city.cells.look(lon, lat, positional_error_m)
        if not seen.everywhere and leaf not in seen.cells:
            return nowhere(lon, lat, self.state.edition)
        zone = self.city.zones.owner(lon, lat)
        segments = self._segments.near(lon, lat)
        response = self._response(lon, lat)
        if not seen.everywhere:
            zone = zone if zone in seen.zones else None
            segments = [one for one in segments if one.zone_code in seen.zones]
            response = [one for one in response if one.post_code in seen.posts]
            near = [(code, distance) for code, distance in near if code in seen.cells]
        chain = self._chain(leaf) if leaf is not None else ()
        return Location.model_construct(
            point=(round(lon, 8), round(lat, 8)),  # eight decimals give the lattice point back
            grid_cells=[cell for cell, bare in chain] if seen.roster else [bare for cell, bare in chain],
            patrol_zone=OwningZone.model_construct(**self.city.zone_facts[zone]._asdict()) if zone else None,
            patrol_segments=segments,
            response=response,
            response_known=True,
            distance_to_boundary_m=metres if leaf is not None else None,
            alternatives=[
                Alternative.model_construct(grid_code=code, name=self.city.facts[code].name, distance_m=distance)
                for code, distance in near
            ],
            edition=self.state.edition,
            unassigned=leaf is None,
        )

    def _response(self, lon: float, lat: float) -> list[Response]:
        point = shapely.Point(lon, lat)
        candidates = self._circle_tree.query(point)
        covering = candidates[shapely.covers(self._circles[candidates], point)]
        fastest: dict[str, Response] = {}
        for response in (self._responses[index] for index in sorted(covering.tolist())):
            fastest.setdefault(response.post_code, response)
        return sorted(fastest.values(), key=lambda response: (response.tier_minutes, response.post_code))

    def _chain(self, leaf: str) -> tuple[tuple[OwningCell, OwningCell], ...]:
        """Return the leaf cell and its ancestors, each with and without the people on duty."""
        found = self._chains.get(leaf)
        if found is None:
            found = self._chains[leaf] = tuple(
                (self._cell(fact, self._duties_of(fact.grid_code)), self._cell(fact, []))
                for fact in self.city.chain(leaf)
            )
        return found

    def _cell(self, fact: CellFacts, duties: list[Duty]) -> OwningCell:
        return OwningCell.model_construct(
            grid_code=fact.grid_code,
            name=fact.name,
            grid_level=fact.grid_level,
            level_name_zh=self._levels[fact.grid_level][0],
            level_name_en=self._levels[fact.grid_level][1],
            cell_kind=fact.cell_kind,
            household_count=fact.household_count,
            households_estimated=fact.households_estimated,
            area_m2=fact.area_m2,
            grid_lead=next((duty.person_name for duty in duties if duty.duty_role == "grid_lead"), None),
            duties=duties,
            is_demo=fact.is_demo,
        )

    def _duties_of(self, code: str) -> list[Duty]:
        return [
            Duty.model_construct(duty_role=role, person_name=name, phone=phone)
            for role, name, phone in self._duties.get(code, [])
        ]


def _read_duties(connection: Connection) -> dict[str, list[_DutyRow]]:
    duties: dict[str, list[_DutyRow]] = {}
    # row by row, so that other threads can take the GIL in between
    for grid_code, *duty in connection.cursor(row_factory=tuple_row).execute(QUERIES["duties"]):
        duties.setdefault(grid_code, []).append((duty[0], duty[1], duty[2]))
    return duties


def _read_circles(connection: Connection) -> list[tuple[Response, shapely.Geometry]]:
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(QUERIES["circles"]).fetchall()
    shapes = shapely.from_wkb([row.pop("geom") for row in rows])
    return [(Response.model_construct(**row), shape) for row, shape in zip(rows, shapes, strict=True)]
