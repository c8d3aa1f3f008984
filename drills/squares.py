"""A city of squares, whose owners are known by arithmetic alone: what a server answers is compared with that.

The county C has ACROSS by ACROSS square cells, `Cxxyy` in column xx eastward and row yy northward.
"""

import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import shapely

from geo_grid.boundaries import publish_cells
from geo_grid.db import connect
from geo_grid.layers.grid_levels import GridLevel, set_levels

WEST, SOUTH, SIDE = 114.5, 37.0, 2.0**-9
"""South-western corner, and the side of a cell (about 200 m), in degrees; on the lattice."""
ACROSS = 16


def county(code: str, east: int, across: int = ACROSS) -> gpd.GeoDataFrame:
    """A county of so many square cells each way, `east` cells east of the corner."""
    squares = {}
    for x in range(across):
        for y in range(across):
            west, south = WEST + (east + x) * SIDE, SOUTH + y * SIDE
            squares[f"{code}{x:02d}{y:02d}"] = shapely.box(west, south, west + SIDE, south + SIDE)
    rows = [(code, 1, None, shapely.coverage_union_all(list(squares.values())))]
    rows += [(cell, 2, code, square) for cell, square in squares.items()]
    cells = gpd.GeoDataFrame(rows, columns=["grid_code", "grid_level", "parent_code", "geometry"])
    return cells.assign(name=cells["grid_code"])


def two_levels() -> list[GridLevel]:
    """Counties and cells."""
    return [GridLevel(grid_level=n, name_zh=str(n), name_en=str(n), code_scheme="local", min_zoom=n) for n in (1, 2)]


def found(conninfo: str) -> None:
    """Publish the county, with two posts and two units."""
    with connect(conninfo) as connection:
        set_levels(connection, two_levels())
        # since long: a clock that is set back would be before it was in force
        publish_cells(connection, county("C", 0), "squares", datetime.now(UTC) - timedelta(days=30))
        for name, columns, values in (
            ("police_posts", "post_code, name", "'P{n}', 'post'"),
            ("patrol_units", "unit_code, name, unit_kind, reported_at", "'U{n}', 'car', 'car', now()"),
        ):
            for n in (0, 1):
                connection.execute(
                    f"insert into {name} ({columns}, geom) select {values.format(n=n)},"
                    " ST_SnapToGrid(ST_SetSRID(ST_MakePoint(%s, %s), 4490), 2 ^ -26)",
                    (WEST + (1 + 12 * n) * SIDE, SOUTH + (1 + 12 * n) * SIDE),
                )


def places() -> Iterator[tuple[float, float]]:
    """Places on the lattice for ever, all over the county; some lie on borders and corners."""
    step = SIDE / 4
    for n in itertools.count():
        yield WEST + n * 7 % (4 * ACROSS + 1) * step, SOUTH + n * 11 % (4 * ACROSS + 1) * step


def owner_of(lon: float, lat: float) -> str:
    """Cell that owns a place of the county: on a border, the one with the smallest code."""
    column, row = (max(math.ceil((at - low) / SIDE) - 1, 0) for at, low in ((lon, WEST), (lat, SOUTH)))
    return f"C{column:02d}{row:02d}"


def write_streets(path: Path) -> None:
    """Write an OpenStreetMap file with a street along each border of cells."""
    lines = ['<?xml version="1.0"?><osm version="0.6" generator="drills">']
    number = {at: 1 + n for n, at in enumerate(itertools.product(range(ACROSS + 1), repeat=2))}
    for (x, y), n in number.items():
        lines.append(
            f'<node id="{n}" version="1" visible="true" lon="{WEST + x * SIDE:.9f}" lat="{SOUTH + y * SIDE:.9f}"/>'
        )
    for way, (fixed, is_north) in enumerate(itertools.product(range(ACROSS + 1), (False, True)), 1):
        along = [(fixed, at) if is_north else (at, fixed) for at in range(ACROSS + 1)]
        refs = "".join(f'<nd ref="{number[at]}"/>' for at in along)
        lines.append(f'<way id="{way}" version="1" visible="true">{refs}<tag k="highway" v="secondary"/></way>')
    path.write_text("\n".join([*lines, "</osm>"]))
