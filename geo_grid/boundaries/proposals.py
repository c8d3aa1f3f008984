"""Proposals: how to distribute cells among their parents so that workloads are balanced."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import shapely

from geo_grid.boundaries.division import Division
from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import Connection, load_queries

QUERIES = load_queries("geo_grid.boundaries", "proposals.sql")
type Measure = Literal["households", "incidents", "visiting_time"]
type Aim = Literal["balanced", "compact", "least_moved"]
VISIT_MINUTES = 10.0
"""Minutes of a visit to one household; our assumption."""
_WALKING_KMH = 4.5
_TOUR = 0.7124
"""Length of the shortest tour through n places in an area A: 0.7124 sqrt(n A) (Beardwood, Halton and Hammersley, 1959)."""


@dataclass(frozen=True)
class Measures:
    """Quality measures of a grouping of cells, the present one or a proposal.

    Attributes
    ----------
    loads
        Load of each group by its code; `new 1` and so on for groups without a code yet.
    deviation
        The largest difference of a load from the mean, as a share of the mean.
    compactness
        Mean of 4 pi area / perimeter^2 (Polsby and Popper, 1991): 1 for circles.
    cut_edges
        Pairs of neighbours in different groups (DeFord, Duchin and Solomon, 2021): fewer is more compact.
    moved
        Load of the cells that change their group.
    """

    loads: dict[str, float]
    deviation: float
    compactness: float
    cut_edges: int
    moved: float


@dataclass(frozen=True)
class Proposal:
    """A grouping of cells: the arguments of the step `regroup`, and its measures."""

    aim: Aim | Literal["present"]
    groups: list[dict[str, Any]]
    measures: Measures


def propose(
    division: Division,
    parents: Sequence[str],
    loads: Mapping[str, float],
    count: int | None = None,
    locked: Collection[str] = (),
    blocks: Mapping[str, int] | None = None,
    seed: int = 1,
) -> tuple[Proposal, list[Proposal]]:
    """Propose groupings of the children of some neighbours; see `recombination.recombine`. Blocks for seconds."""
    from geo_grid.boundaries.recombination import recombine  # imported here: only the process that computes loads it

    return recombine(division, parents, loads, count=count, locked=locked, blocks=blocks, seed=seed)


def just_below(division: Division, parents: Sequence[str]) -> Division:
    """Return the part of a division that a proposal needs: the parents and their children."""
    codes = dict.fromkeys([*parents, *(child for code in parents for child in division.children(code))])
    return Division(division.cell(code) for code in codes)


def read_loads(
    connection: Connection, division: Division, parents: Sequence[str], measure: Measure
) -> dict[str, float]:
    """Return the load of each child of the parents, by code.

    It is the number of households, of incidents in the last 12 months, or the minutes to visit every household once: at
    the doors, and on foot between them.
    """
    below = [code for parent in parents for code in division.children(division.cell(parent).grid_code)]
    if measure == "incidents":
        leaves = {leaf: code for code in below for leaf in division.leaves(code)}
        rows = connection.execute(QUERIES["incidents"], {"codes": list(leaves)}).fetchall()
        found = dict.fromkeys(below, 0.0)
        for row in rows:
            found[leaves[row["grid_code"]]] += row["count"]
        return found
    households = {code: float(division.households(code) or 0) for code in below}
    if measure == "households":
        return households
    return {code: _visiting_minutes(households[code], division.cells[code].shape) for code in below}


def road_blocks(connection: Connection, division: Division, parents: Sequence[str]) -> dict[str, int] | None:
    """Return the block between main roads that each child lies in, by code; None: no main road divides them."""
    below = [code for parent in parents for code in division.children(division.cell(parent).grid_code)]
    area = shapely.union_all([division.cells[code].shape for code in parents])
    west, south, east, north = shapely.bounds(area).tolist()
    rows = connection.execute(QUERIES["roads"], {"west": west, "south": south, "east": east, "north": north}).fetchall()
    lines = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    noded = shapely.union_all([shapely.boundary(area), *lines])
    blocks = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    tree = shapely.STRtree(blocks)
    inside = [shapely.point_on_surface(division.cells[code].shape) for code in below]
    unit, block = tree.query(inside, predicate="intersects")
    found = dict(zip((below[at] for at in unit.tolist()), block.tolist(), strict=True))
    return found if len(set(found.values())) > 1 else None


def _visiting_minutes(households: float, shape: Any) -> float:
    area_m2 = abs(ELLIPSOID.geometry_area_perimeter(shape)[0])
    walked_m = _TOUR * math.sqrt(households * area_m2)
    return households * VISIT_MINUTES + walked_m / (_WALKING_KMH * 1000 / 60)
