"""GeoJSON output (RFC 7946): exterior rings counter-clockwise, holes clockwise, no member `crs`."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import shapely
from psycopg import sql
from pydantic import BaseModel

from geo_grid.china_datums import shifted_geometry


class Feature[P](BaseModel):
    """A shape, and what it is."""

    type: Literal["Feature"] = "Feature"
    geometry: dict[str, Any]
    properties: P


class FeatureCollection[F](BaseModel):
    """Shapes."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[F]


def as_geojson(shape: Any, digits: int | None = 8, shift: str = "") -> dict[str, Any]:
    """Return a shape, lon, lat in degrees, as GeoJSON; see `geojson_text`."""
    written: dict[str, Any] = json.loads(geojson_text(shape, digits, shift))
    return written


def feature_text(shape: Any, properties: BaseModel, shift: str = "") -> str:
    """Return a shape, lon, lat in degrees, and what it is as the text of a GeoJSON feature.

    The corners of large shapes as Python's numbers take ten times the memory, and hold its lock for seconds.
    """
    told = properties.model_dump_json(by_alias=True)
    return f'{{"type":"Feature","geometry":{geojson_text(shape, shift=shift)},"properties":{told}}}'


def feature_texts(rows: Sequence[dict[str, Any]], kind: type[BaseModel], shift: str = "") -> list[str]:
    """Return rows with a shape as WKB in `geom`, and the properties of a kind, as texts of features. Call it in a thread."""
    return [feature_text(shapely.from_wkb(bytes(row["geom"])), kind.model_validate(row), shift) for row in rows]


def geojson_text(shape: Any, digits: int | None = 8, shift: str = "") -> str:
    """Return a shape, lon, lat in degrees, as GeoJSON text.

    Parameters
    ----------
    digits
        Decimals that are written: eight are enough to tell points of the lattice apart; None: all there are.
    shift
        GCJ-02 or BD-09: written as maps of these draw it; the answer names it.
    """
    turned = shapely.orient_polygons(shifted_geometry(shape, shift) if shift else shape)
    if digits is not None:
        turned = shapely.transform(turned, lambda xy: np.round(xy, digits))
    return str(shapely.to_geojson(turned))


def geojson_of(geometry: sql.Composable, digits: int, is_flipped: bool = False) -> sql.Composed:
    """Return SQL for a geometry as GeoJSON text; is_flipped: y before x, for reference systems with that axis order."""
    turned = sql.SQL("ST_ForcePolygonCCW({})").format(geometry)
    if is_flipped:  # rings were oriented before, so that they are counter-clockwise on the ground in any axis order
        turned = sql.SQL("ST_FlipCoordinates({})").format(turned)
    return sql.SQL("ST_AsGeoJSON({}, {}, 0)").format(turned, sql.Literal(digits))
