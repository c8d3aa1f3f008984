"""Impact of a draft before it is published: changes of cells, of owners of incidents and other objects, and of workload."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql

from geo_grid.boundaries.division import Cell, Division, Edits
from geo_grid.boundaries.households import shared_out
from geo_grid.boundaries.norms import Outside, outside_norm
from geo_grid.boundaries.operations import change_of
from geo_grid.db import Connection, load_queries, read_fixed
from geo_grid.locate import Locator

QUERIES = load_queries("geo_grid.boundaries", "impact.sql")
OPEN, YEAR = "open incidents", "incidents of 12 months"
_COUNTED = {
    OPEN: "open_incidents", YEAR: "incidents_of_year", "cameras": "cameras", "posts": "posts", "facilities": "facilities",
}  # fmt: skip
_XY = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("x", ">f8"), ("l2", ">i4"), ("y", ">f8")])


@dataclass(frozen=True)
class Flow:
    """Number of objects of one kind whose owner changes from one cell to another; None: no owner."""

    kind: str
    from_code: str | None
    to_code: str | None
    count: int


@dataclass(frozen=True)
class Workload:
    """Workload of a cell that changes, before and after.

    Attributes
    ----------
    people
        Grid lead and managers of the cell, or of the nearest cell above that has any; the responsible unit of a zone.
    households_before, households_after
        Number of households, apportioned by area where borders moved; None: not known.
    is_estimate
        The number after is apportioned by area, not counted.
    norm
        Side of the norm (`norms.HOUSEHOLDS`) on which a basic cell would lie; None: within the norm, or no basic cell.
    incidents_before, incidents_after
        Incidents of the last twelve months, by their place.
    """

    grid_code: str
    name: str
    people: tuple[str, ...]
    households_before: int | None
    households_after: int | None
    is_estimate: bool
    norm: Outside | None
    incidents_before: int
    incidents_after: int
    cameras_before: int
    cameras_after: int


@dataclass
class Impact:
    """The impact of edits.

    Attributes
    ----------
    opened, changed, retired
        Codes of cells; a cell that only got a vertex where a neighbour's new border ends is not changed.
    flows
        Objects that change their owner; posts and facilities are owned by the cell that contains them.
    stay
        Number of objects of each kind in changed cells that keep their owner.
    workloads
        Workload of every leaf cell that changes.
    left_duties
        Duties on codes that are retired: code, duty and name.
    """

    opened: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    stay: dict[str, int] = field(default_factory=dict)
    workloads: list[Workload] = field(default_factory=list)
    left_duties: list[tuple[str, str, str]] = field(default_factory=list)

    def joined(self, other: "Impact") -> "Impact":
        """Return the sum of both; objects that a cell and a zone own count once for each."""
        both = {name: getattr(self, name) + getattr(other, name) for name in vars(self) if name != "stay"}
        stay = {kind: self.stay.get(kind, 0) + other.stay.get(kind, 0) for kind in {**self.stay, **other.stay}}
        return Impact(**both, stay=stay)

    def shown(self, codes: set[str]) -> "Impact":
        """Return the part that concerns these cells only, for a principal who sees no others."""
        return Impact(
            opened=[code for code in self.opened if code in codes],
            changed=[code for code in self.changed if code in codes],
            retired=[code for code in self.retired if code in codes],
            flows=[one for one in self.flows if {one.from_code, one.to_code} - {None} <= codes],
            stay=self.stay,
            workloads=[one for one in self.workloads if one.grid_code in codes],
            left_duties=[one for one in self.left_duties if one[0] in codes],
        )


def impact_of(
    connection: Connection, before: Division, edits: Edits, owned_by: Literal["grid_code", "zone_code"] = "grid_code"
) -> Impact:
    """Compute the impact of edits on cells, owners of objects, households and duties.

    The owner of an object changes in two cases: the border of a leaf cell moves, or a cell goes to another parent with all
    it contains. Only objects in such cells are read; their points are located in memory, in the cells before and after.
    Objects that the principal may not see are not counted.

    Parameters
    ----------
    before, edits
        Grid cells or patrol zones; road segments among these own nothing.
    owned_by
        Column with the owner of an object: zone_code for patrol zones.
    """
    after = before.edited(edits)
    codes: dict[str | None, list[str]] = {}
    for code in sorted(edits):
        codes.setdefault(change_of(before, edits, code), []).append(code)
    found = Impact(codes.get("new", []), codes.get("changed", []), codes.get("retired", []))
    old = [one for code in sorted(edits) if (one := before.cells.get(code)) and _owns(before, one)]
    new = [one for code in sorted(edits) if (one := after.cells.get(code)) and _owns(after, one)]
    regrouped = [
        code
        for code in sorted(edits)
        if code in before.cells
        and code in after.cells
        and before.cells[code].parent_code != after.cells[code].parent_code
    ]
    groups = {str(one.cells[code].parent_code) for code in regrouped for one in (before, after)}
    moved, counts = _located(
        connection, before, after, {cell.grid_code for cell in (*old, *new)}, groups, found, owned_by
    )
    found.flows += moved
    found.flows += _household_flows(old, new)
    found.flows += [
        Flow("households", before.cells[code].parent_code, after.cells[code].parent_code, round(count))
        for code in regrouped
        if (count := before.households(code))
    ]
    owners = groups | ({cell.grid_code for cell in (*old, *new)} & {*found.opened, *found.changed, *found.retired})
    people = _people(connection, before, after, owners | set(found.retired), found)
    (year_before, year_after), (cameras_before, cameras_after) = (
        counts.get(k, (Counter(), Counter())) for k in (YEAR, "cameras")
    )
    for code in sorted(owners):
        named = after.cells.get(code) or before.cells[code]
        work = Workload(
            grid_code=code,
            name=named.name,
            people=people[code] or ((named.responsible_unit,) if named.responsible_unit else ()),
            households_before=_count(before, code),
            households_after=_count(after, code),
            is_estimate=code in after.cells and after.cells[code].households_estimated,
            norm=outside_norm(after, after.cells[code]) if code in after.cells else None,
            incidents_before=year_before[code],
            incidents_after=year_after[code],
            cameras_before=cameras_before[code],
            cameras_after=cameras_after[code],
        )
        found.workloads.append(work)
    return found


def _located(
    connection: Connection,
    before: Division,
    after: Division,
    leaves: set[str],
    groups: set[str],
    found: Impact,
    owned_by: str,
) -> tuple[list[Flow], dict[str, tuple[Counter[str], Counter[str]]]]:
    """Locate the objects in changed leaf cells and in regrouped cells; count them by owner, before and after."""
    sides = [
        {leaf: group for group in groups if group in one.cells for leaf in one.leaves(group)} for one in (before, after)
    ]
    touched = sorted(
        {code for code in leaves if code in before.cells} | sides[0].keys() | (sides[1].keys() & before.cells.keys())
    )
    ground = [before.cells[code] for code in touched]
    ground += [after.cells[code] for code in sorted(leaves | sides[1].keys()) if code in after.cells]
    if not ground:
        return [], {}
    was, becomes = _locator(before, ground), _locator(after, ground)
    box = shapely.total_bounds([cell.shape for cell in ground]).tolist()
    asked = {"codes": touched, **dict(zip(("west", "south", "east", "north"), box, strict=True))}
    changes, inside = {*found.opened, *found.changed, *found.retired}, set(touched)
    flows, counts = [], {}
    for kind, query in _COUNTED.items():
        statement = sql.SQL(QUERIES[query]).format(owner=sql.Identifier(owned_by))
        points = read_fixed(connection, statement, _XY, asked)
        lon, lat = points["x"].astype(np.float64), points["y"].astype(np.float64)
        pairs = Counter(zip(_codes(was, lon, lat).tolist(), _codes(becomes, lon, lat).tolist(), strict=True))
        tally: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        moved: Counter[tuple[str, str]] = Counter()
        found.stay[kind] = 0
        for (start, end), count in pairs.items():
            if start not in inside and (start or end not in changes):
                continue  # owned by an unchanged neighbour, or by no cell before and after
            for owner, side in ((start, 0), (end, 1), (sides[0].get(start, ""), 0), (sides[1].get(end, ""), 1)):
                tally[side][owner] += count
            groups_moved = sides[0].get(start) != sides[1].get(end)
            if start != end:
                moved[start, end] += count
            elif groups_moved:
                moved[sides[0].get(start, ""), sides[1].get(end, "")] += count
            elif start in changes or start in sides[0]:
                found.stay[kind] += count
        flows += [Flow(kind, one or None, other or None, count) for (one, other), count in sorted(moved.items())]
        counts[kind] = tally
    return flows, counts


def _people(
    connection: Connection, before: Division, after: Division, codes: set[str], found: Impact
) -> dict[str, tuple[str, ...]]:
    """Return the people responsible for cells, and add to `found` those whose cell is retired."""
    lines = {code: [code, *(after if code in after.cells else before).ancestors(code)] for code in codes}
    people: dict[str, list[str]] = {}
    asked = {"codes": sorted({code for line in lines.values() for code in line})}
    for row in connection.execute(QUERIES["duties"], asked).fetchall():
        people.setdefault(row["grid_code"], []).append(row["person_name"])
        if row["grid_code"] in found.retired:
            found.left_duties.append((row["grid_code"], row["duty_role"], row["person_name"]))
    return {code: tuple(next((people[one] for one in line if one in people), ())) for code, line in lines.items()}


def _owns(division: Division, cell: Cell) -> bool:
    return "Polygon" in cell.shape.geom_type and not division.children(cell.grid_code)


def _count(division: Division, code: str) -> int | None:
    if code not in division.cells:
        return 0
    counted = division.households(code)
    return None if counted is None else round(counted)


def _codes(locator: Locator | None, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return the owner of each point, '' where there is none."""
    if locator is None:
        return np.full(len(lon), "", dtype=object)
    names: NDArray[np.object_] = np.append(np.asarray(locator.codes, dtype=object), "")
    return names[locator.owners(lon, lat)]


def _locator(division: Division, changed: list[Cell]) -> Locator | None:
    """Build a locator of the cells that may own objects in changed cells; None: there are none."""
    near = {
        cell.grid_code: cell
        for one in changed
        for cell in division.near(one.shape)
        if not division.children(cell.grid_code)
    }
    return Locator.from_polygons(list(near), [cell.shape for cell in near.values()]) if near else None


def _household_flows(old: list[Cell], new: list[Cell]) -> list[Flow]:
    flows = [
        Flow("households", one.from_code, one.to_code, one.households)
        for one in shared_out(old, new)
        if one.from_code != one.to_code and one.households
    ]
    return sorted(flows, key=lambda flow: (flow.from_code or "", flow.to_code or ""))
