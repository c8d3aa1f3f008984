"""Cells of drafts and of the differences between editions as GeoJSON, for maps."""

from typing import Any

import shapely
from pydantic import Field

from geo_grid.boundaries.division import Cell, Division, Edits
from geo_grid.boundaries.operations import change_of
from geo_grid.boundaries.reading import CELLS, shown_codes
from geo_grid.db import Connection
from geo_grid.errors import InvalidCoordinates
from geo_grid.layers.boxes import read_box, shape_of
from geo_grid.layers.geojson import Feature, FeatureCollection, as_geojson
from geo_grid.layers.published import CRS84

MOST = 3000
"""Most cells of one answer: more cannot be distinguished on a screen."""


class CellFeature(Feature[dict[str, Any]]):
    """A cell, before or after a change."""

    id: str


class CellCollection(FeatureCollection[CellFeature]):
    """Cells as GeoJSON: lon, lat, degrees."""

    truncated: bool = Field(False, description="there are more: look closer")


def cells_in_view(connection: Connection, changes: tuple[Division, Edits], bbox: str, level: int) -> dict[str, Any]:
    """Return the cells of a level in a box, or of the level above where an area is not divided so far. The property
    `change` says how the draft changed them.

    Raises
    ------
    InvalidCoordinates
        `bbox` is not west,south,east,north in degrees.
    """
    before, edits = changes
    after = before.edited(edits)
    seen = shown_codes(connection, before, edits)
    found = [
        cell
        for cell in after.near(_box(bbox))
        if (cell.grid_level == level or (cell.grid_level < level and not after.children(cell.grid_code)))
        and (seen is None or cell.grid_code in seen)
    ]
    features = [_feature(cell, change_of(before, edits, cell.grid_code)) for cell in found[:MOST]]
    return {"features": features, "truncated": len(found) > MOST}


def changed_cells(before: Division, edits: Edits, layer: str = CELLS) -> dict[str, Any]:
    """Return the changed cells or zones before the edits (`state` before) and after them (`state` after)."""
    features = []
    for code in sorted(edits):
        change = change_of(before, edits, code)
        if change is None:
            continue
        if code in before.cells:
            features.append(_feature(before.cells[code], change, "before", bool(before.children(code)), layer))
        cell = edits[code]
        if cell is not None:
            features.append(_feature(cell, change, "after", bool(before.children(code)), layer))
    return {"features": features, "truncated": False}


def zones_in_view(changes: tuple[Division, Edits], stops: dict[str, list[dict[str, Any]]], bbox: str) -> dict[str, Any]:
    """Return the patrol zones of a draft in a box, with their `stops`; `grid_level` 0: a road segment.

    Raises
    ------
    InvalidCoordinates
        `bbox` is not west,south,east,north in degrees.
    """
    before, edits = changes
    box = _box(bbox)
    found = [zone for zone in before.edited(edits).cells.values() if shapely.intersects(zone.shape, box)]
    features = [_feature(zone, change_of(before, edits, zone.grid_code)) for zone in found[:MOST]]
    for feature in features:
        feature["properties"]["stops"] = stops.get(feature["properties"]["grid_code"], [])
    return {"features": features, "truncated": len(found) > MOST}


def _feature(
    cell: Cell, change: str | None, state: str | None = None, is_divided: bool = False, layer: str = CELLS
) -> dict[str, Any]:
    properties = {name: value for name, value in vars(cell).items() if name != "shape"} | {"change": change}
    if state is not None:
        properties |= {"state": state, "is_divided": is_divided, "layer": layer}
    return {
        "id": f"{cell.grid_code}{'' if state is None else ':' + state}",
        "properties": properties,
        "geometry": as_geojson(cell.shape),
    }


def _box(bbox: str) -> Any:
    try:
        numbers = [float(part) for part in bbox.split(",")]
    except ValueError:
        message = "bbox is west,south,east,north in degrees, such as 114.4,37.0,114.6,37.1"
        raise InvalidCoordinates(message) from None
    return shape_of(read_box(numbers, CRS84))
