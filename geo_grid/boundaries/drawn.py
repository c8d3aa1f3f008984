"""Grid cells generalised for tiles: simplified for each zoom so that shared borders stay equal, stored in EPSG:3857."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.db import Connection, insert_rows, load_queries
from geo_grid.layers import find_layer
from geo_grid.layers.grid_levels import GridLevel, list_levels

QUERIES = load_queries("geo_grid.boundaries", "drawn.sql")
LAST_ZOOM = 15
"""Last zoom with simplified cells: at the next, half a pixel is about a metre, and cells are drawn unchanged."""
_ZOOMS_ALIKE = 3
_MERCATOR_M = 2 * np.pi * 6378137.0
"""Width of the world in EPSG:3857."""
_TILE_PIXELS, _TILE_UNITS = 256, 4096
_COLUMNS = ("grid_code", "grid_level", "name", "parent_code", "cell_kind", "household_count", "is_demo")


@dataclass(frozen=True)
class Step:
    """A range of zooms that share the same simplified shapes.

    Attributes
    ----------
    level
        Level of the cells that are drawn; where an area is not divided so far, those of the level above.
    """

    from_zoom: int
    to_zoom: int
    level: int


def draw_steps(levels: list[GridLevel]) -> list[Step]:
    """Divide the zooms into steps: a new one where the level changes, and at least at every third zoom."""
    steps = []
    shown = [
        max(k.grid_level for k in levels if k.min_zoom <= zoom or k.grid_level == 1) for zoom in range(LAST_ZOOM + 1)
    ]
    for level in sorted(set(shown)):
        zooms = [zoom for zoom, fits in enumerate(shown) if fits == level]
        for last in range(zooms[-1], zooms[0] - 1, -_ZOOMS_ALIKE):
            steps.append(Step(max(last - _ZOOMS_ALIKE + 1, zooms[0]), last, level))
    return sorted(steps, key=lambda step: step.to_zoom)


def draw_cells(connection: Connection, edition: int | None, moment: datetime) -> None:
    """Simplify and store the cells that are in force at a moment, in the caller's transaction.

    Parameters
    ----------
    edition
        Only cells that this edition opened or closed, and their neighbours, whose shared borders moved; None: all cells.
    """
    steps = draw_steps(list_levels(connection))
    stored = {(s["from_zoom"], s["to_zoom"], s["grid_level"]) for s in connection.execute(QUERIES["steps"]).fetchall()}
    if edition is None or stored != {(s.from_zoom, s.to_zoom, s.level) for s in steps}:
        connection.execute(QUERIES["clear"])
        for step in steps:
            connection.execute(QUERIES["put_step"], vars(step))
        edition = None
    rows = connection.execute(QUERIES["cells"], {"moment": moment, "edition": edition}).fetchall()
    shapes = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    level = np.array([row["grid_level"] for row in rows], dtype=int)
    is_open, changed = (np.array([row[name] for row in rows], dtype=bool) for name in ("is_open", "changed"))
    divided = {row["parent_code"] for row in rows if row["is_open"]}
    is_leaf = np.array([row["grid_code"] not in divided for row in rows], dtype=bool)
    codes = np.array([row["grid_code"] for row in rows], dtype=object)
    connection.execute(QUERIES["forget"])
    tree = shapely.STRtree(shapes)
    reached = _touching(tree, shapes, changed)
    for step in steps:
        shown = is_open & ((level == step.level) | ((level < step.level) & is_leaf))
        redrawn = shown & reached
        # with their own neighbours, so that every border of theirs is one between two cells
        together = np.flatnonzero(shown & _touching(tree, shapes, redrawn))
        if edition is not None:
            gone = [str(code) for code in codes[redrawn | changed]]
            connection.execute(QUERIES["close"], {"codes": gone, "to_zoom": step.to_zoom, "moment": moment})
        # half a pixel: the square root of the triangle area below which a vertex is removed (Visvalingam-Whyatt)
        tolerance = _MERCATOR_M / _TILE_PIXELS / 2**step.to_zoom / 2
        simple = shapely.orient_polygons(shapely.coverage_simplify(shapes[together], tolerance), exterior_cw=True)
        kept = [(index, shape) for index, shape in zip(together.tolist(), simple, strict=True) if redrawn[index]]
        plain = _are_plain(np.array([shape for _, shape in kept], dtype=object), step)
        geometry = shapely.to_wkb(shapely.set_srid([shape for _, shape in kept], 3857), hex=True, include_srid=True)
        insert_rows(
            connection,
            "drawn_cells",
            ["to_zoom", *_COLUMNS, "valid_from", "is_plain", "geom"],
            (
                (step.to_zoom, *(rows[index][name] for name in _COLUMNS), moment, is_plain, geom)
                for (index, _), is_plain, geom in zip(kept, plain.tolist(), geometry, strict=True)
            ),
        )
    connection.execute(QUERIES["analyze"])


def redraw_cells(connection: Connection) -> None:
    """Simplify all cells in force again, after a change of the levels or of the zooms at which they are shown."""
    clock = connection.execute(QUERIES["clock"]).fetchone() or {}
    draw_cells(connection, None, clock["now"])


def draw_missing(connection: Connection) -> None:
    """Simplify the cells in force if that was never done, as for boundaries published by an older version of geo_grid."""
    found = connection.execute(find_layer("grid_cells").query("undrawn")).fetchone() or {}
    if found["is_undrawn"]:
        redraw_cells(connection)


def _are_plain(shapes: Any, step: Step) -> NDArray[np.bool_]:
    """Return a flag for each shape: it stays a valid polygon when a tile rounds its vertices, at every zoom of a step."""
    good = np.ones(len(shapes), dtype=bool)
    for zoom in range(step.from_zoom, step.to_zoom + 1):
        units = 2**zoom * _TILE_UNITS / _MERCATOR_M
        good &= shapely.is_valid(shapely.transform(shapes, lambda xy, units=units: np.rint(xy * units)))
    return good


def _touching(tree: shapely.STRtree, shapes: Any, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a flag for each shape: it is marked, or its bounding box intersects that of a marked one."""
    if marked.all() or not marked.any():
        return marked
    near = np.zeros(len(shapes), dtype=bool)
    near[tree.query(shapes[marked])[1]] = True
    return near
