"""How much of each innermost cell cameras see, once and more often, and what they do not see."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from pydantic import BaseModel, Field

from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import AsyncConnection, Connection, connect, load_queries
from geo_grid.errors import NotFound
from geo_grid.layers.geojson import as_geojson

QUERIES = load_queries("geo_grid.cameras", "coverage.sql")
_STEP = 1e-9
"""Degrees: tenth of a millimetre; overlays are rounded to it, so that shapes that nearly touch do not break them."""
_AT_ONCE = 2_000


def update_coverage(connection: Connection, progress: Callable[[int], None] = lambda count: None) -> int:
    """Work out the coverage of all innermost cells in force anew, in the caller's transaction; return their number.

    Shares are of areas in degrees, which within a cell are as those in metres to some hundred-thousandths.
    """
    cells = connection.execute(QUERIES["cells"]).fetchall()
    views = shapely.from_wkb([bytes(row["geom"]) for row in connection.execute(QUERIES["views"]).fetchall()])
    shapes = shapely.from_wkb([bytes(row["geom"]) for row in cells])
    near: dict[int, list[int]] = {}
    if len(views):
        for cell, view in shapely.STRtree(views).query(shapes, "intersects").T.tolist():
            near.setdefault(cell, []).append(view)
    connection.execute(QUERIES["clear"])
    for start in range(0, len(cells), _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, len(cells)))
        found = [coverage_of(shapes[number], views[near.get(number, [])]) for number in numbers]
        connection.execute(
            QUERIES["store"],
            {
                "codes": [cells[number]["grid_code"] for number in numbers],
                "cell_m2": [one[0] for one in found],
                "seen_m2": [one[1] for one in found],
                "twice_m2": [one[2] for one in found],
                "cameras": [len(near.get(number, [])) for number in numbers],
                "blind": [None if one[3] is None else shapely.to_wkb(one[3]) for one in found],
            },
        )
        progress(len(numbers))
    return len(cells)


def update_coverage_apart(conninfo: str) -> None:
    """Work out the coverage of all cells (see `update_coverage`) in a transaction of its own.

    It takes seconds and holds the GIL: a server calls it in another process.
    """
    with connect(conninfo) as connection:
        update_coverage(connection)


def coverage_of(cell: Any, views: Any) -> tuple[float, float, float, Any]:
    """Return of a cell its area, the area seen, the area seen by two or more (m2), and what nobody sees (None: nothing).

    Parameters
    ----------
    cell, views
        Polygons in degrees (EPSG:4490).
    """
    cell_m2 = abs(ELLIPSOID.geometry_area_perimeter(cell)[0])
    seen: Any = shapely.Polygon()
    twice: list[Any] = []
    for view in map(_areas, shapely.intersection(views, cell, grid_size=_STEP) if len(views) else ()):
        if seen.is_empty:
            seen = view
            continue
        both = _areas(shapely.intersection(view, seen, grid_size=_STEP))
        if not both.is_empty:
            twice.append(both)
        seen = _areas(shapely.union(seen, view, grid_size=_STEP))
    scale = cell_m2 / cell.area
    twice_area = shapely.union_all(twice, grid_size=_STEP).area if twice else 0.0
    blind = _areas(shapely.difference(cell, seen, grid_size=_STEP))
    return cell_m2, seen.area * scale, twice_area * scale, None if blind.is_empty else blind


def _areas(shape: Any) -> Any:
    """Return the polygons of a shape: an overlay leaves lines and points where shapes touch as well."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.multipolygons(np.array(parts, dtype=object))


class CellCoverage(BaseModel):
    """How much of a cell cameras see. Secret cameras do not count."""

    grid_code: str
    name: str | None
    cell_m2: float
    seen_m2: float
    twice_m2: float = Field(description="seen by two cameras or more")
    share: float = Field(description="seen, of the whole")
    cameras: int = Field(
        description="cameras that see a part of an innermost cell; one that sees several counts in each"
    )


class PlaceCoverage(BaseModel):
    """Whether cameras see a key place."""

    facility_code: str
    name: str
    kind: str
    lon: float
    lat: float
    cameras: int = Field(description="that see it; 0: it is a blind spot")


class Coverage(BaseModel):
    """Coverage of cells."""

    computed_at: datetime | None = Field(description="null: it was not worked out yet, or there is no such cell")
    cells: list[CellCoverage]


async def coverage(connection: AsyncConnection, level: int | None, within: str | None, most: int) -> Coverage:
    """Read the coverage of cells, least seen first.

    Parameters
    ----------
    level
        Cells of a level, by their innermost cells; None: the innermost cells themselves.
    within
        Only of this cell.

    Raises
    ------
    NotFound
        There is no such cell.
    """
    await _refuse_no_cell(connection, within)
    values = {"level": level, "within": within, "most": most}
    rows = await (await connection.execute(QUERIES["by_cell"], values)).fetchall()
    return Coverage(
        computed_at=max((row["computed_at"] for row in rows), default=None),
        cells=[CellCoverage.model_validate(row) for row in rows],
    )


async def places_seen(connection: AsyncConnection, within: str | None, most: int) -> list[PlaceCoverage]:
    """Count the cameras that see each key place, school, hospital, town hall; those that none sees first. Raises NotFound."""
    await _refuse_no_cell(connection, within)
    rows = await connection.execute(QUERIES["places"], {"within": within, "most": most})
    return [PlaceCoverage.model_validate(row) for row in await rows.fetchall()]


async def _refuse_no_cell(connection: AsyncConnection, grid_code: str | None) -> None:
    if grid_code is not None and not (await connection.execute(QUERIES["cell"], {"within": grid_code})).rowcount:
        message = f"there is no grid cell {grid_code[:40]!r}"
        raise NotFound(message)


async def blind_spots(connection: AsyncConnection, grid_code: str, shift: str) -> dict[str, Any]:
    """Return what no camera sees of an innermost cell, as a GeoJSON geometry (an empty MultiPolygon: cameras see it all).

    Parameters
    ----------
    shift
        See `geojson.as_geojson`.

    Raises
    ------
    NotFound
        There is no such cell, or its coverage was not worked out.
    """
    row = await (await connection.execute(QUERIES["blind"], {"grid_code": grid_code})).fetchone()
    if row is None:
        message = f"there is no coverage of {grid_code[:40]!r}: it is no innermost cell, or was not worked out yet"
        raise NotFound(message)
    return as_geojson(
        shapely.MultiPolygon() if row["geom"] is None else shapely.from_wkb(bytes(row["geom"])), shift=shift
    )
