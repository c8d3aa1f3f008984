"""Small coverages made by hand, so that a test shows the answer it expects."""

import geopandas as gpd
import shapely
from pandas import DataFrame

from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.coordinates import snap_geometry
from geo_grid.db import Connection
from geo_grid.layers.grid_levels import GridLevel, set_levels

STEP = 2.0**-26
WEST, SOUTH = 114.5, 37.0
SIDE = 2.0**-7  # about 0.8 km; on the lattice


def square(column: int, row: int, width: int = 1, height: int = 1) -> shapely.Polygon:
    """A square of the grid; column counts eastward, row northward."""
    west, south = WEST + column * SIDE, SOUTH + row * SIDE
    return shapely.box(west, south, west + width * SIDE, south + height * SIDE)


def whole(width: int, height: int) -> shapely.Polygon:
    """A rectangle with a vertex at every square's corner on its border, as a parent of squares has."""
    return shapely.coverage_union_all([square(x, y) for x in range(width) for y in range(height)])


def bulging(column: int, row: int) -> shapely.Polygon:
    """A square whose eastern border bulges by four lattice steps (7 mm)."""
    west, south, east, north = shapely.bounds(square(column, row))
    return shapely.Polygon(
        [(east, south), (east + 4 * STEP, (south + north) / 2), (east, north), (west, north), (west, south)]
    )


def local_levels(connection: Connection, count: int = 2) -> None:
    """Levels with free codes."""
    set_levels(
        connection,
        [
            GridLevel(grid_level=n, name_zh=f"{n}级", name_en=f"level {n}", code_scheme="local", min_zoom=n)
            for n in range(1, count + 1)
        ],
    )


def cells(*rows: tuple[str, int, str | None, shapely.Geometry]) -> DataFrame:
    """Cells from (code, level, parent, polygon)."""
    frame = DataFrame(rows, columns=["grid_code", "grid_level", "parent_code", "geometry"])
    return frame.assign(name=frame["grid_code"])


def two_by_two(connection: Connection) -> None:
    """A parent P of four squares: C north-west, D north-east, A south-west, B south-east."""
    local_levels(connection)
    publish_cells(
        connection,
        cells(
            ("P", 1, None, whole(2, 2)),
            ("A", 2, "P", square(0, 0)),
            ("B", 2, "P", square(1, 0)),
            ("C", 2, "P", square(0, 1)),
            ("D", 2, "P", square(1, 1)),
        ),
        "two by two",
    )


def write_geojson(path: str, rows: list[tuple[dict[str, object], shapely.Geometry]]) -> None:
    """A GeoJSON file."""
    frame = gpd.GeoDataFrame([r for r, _ in rows], geometry=[g for _, g in rows], crs=4326)
    frame.to_file(path, driver="GeoJSON", COORDINATE_PRECISION=15)


def two_zones(connection: Connection) -> None:
    """Patrol zones Z1 and Z2: the west half of two by two squares, and the east half."""
    halves = [shapely.box(west, SOUTH, west + SIDE, SOUTH + 2 * SIDE) for west in (WEST, WEST + SIDE)]
    zones = {
        "zone_code": ["Z1", "Z2"], "name": "x", "zone_kind": "area", "zone_type": "regular", "responsible_unit": "x",
        "geometry": list(snap_geometry(halves)),
    }  # fmt: skip
    publish_zones(connection, DataFrame(zones), "two halves")
