"""A layer as a map shows it, as GeoJSON and as vector tiles; the database generalises and encodes it."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import sql

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.layers.features import as_feature, shifted_rows
from geo_grid.layers.geojson import geojson_of
from geo_grid.layers.layer import Layer
from geo_grid.layers.published import CRS84, PublishedCrs

QUERIES = load_queries("geo_grid.layers", "forms.sql")
_DRAWN_DIGITS = 6
"""Decimals of degrees on a map: some decimetres."""
_TILE_PIXELS = 256
_TILE_FEATURES = 20_000
_TILE_UNITS = 4096
_BUFFER = 64 / _TILE_UNITS
type Narrowing = Mapping[str, Sequence[str]]
"""Values by the columns of `Layer.narrowed_by`: only what has one of them is shown; of a column that is missing, all."""
_MERCATOR_M = 2 * math.pi * 6378137.0
"""Width of the world in EPSG:3857."""


async def items(
    connection: AsyncConnection,
    layer: Layer,
    bbox: tuple[float, float, float, float],
    zoom: int,
    limit: int,
    at: datetime | None = None,
    crs: PublishedCrs = CRS84,
    narrowing: Narrowing | None = None,
) -> str:
    """Read what a map shows of a layer.

    Parameters
    ----------
    bbox
        west, south, east, north in degrees, CGCS2000.
    zoom
        Web map zoom: decides the level of cells, clusters, and generalisation to half a pixel,
        which keeps shared borders shared because neighbours have the same vertices.
    limit
        Most features returned; `truncated` says that there were more.
    at
        Moment, for layers whose rows are in force for a time; None: now.
    crs
        Reference system of the output: CRS84, or one of `published.SHIFTED`.
    narrowing
        See `Narrowing`; None: everything is shown.

    Returns
    -------
    A GeoJSON FeatureCollection as text, with the foreign member `truncated`.
    """
    statement = sql.SQL(QUERIES["geojson"]).format(
        items=sql.SQL(layer.query("items")), geometry=geojson_of(sql.Identifier("geom"), _DRAWN_DIGITS)
    )
    values = _values(bbox, zoom, limit + 1, at) | only([layer], narrowing or {})
    rows = await (await connection.execute(statement, values)).fetchall()
    drawn = await shifted_rows([row for row in rows[:limit] if row["geometry"] is not None], crs)
    features = ",".join(map(as_feature, drawn))
    truncated = "true" if len(rows) > limit else "false"
    named = f'"coordRefSys":"{crs.uri}",' if crs.shift else ""
    return f'{{"type":"FeatureCollection",{named}"truncated":{truncated},"features":[{features}]}}'


@lru_cache(maxsize=64)
def tile_statement(*layers: Layer) -> str:
    """Return the statement that draws layers as Mapbox vector tiles of WebMercatorQuad, in one snapshot.

    Its parameters are `tile_values`; its one row has a tile by name of layer, empty when there are no features.
    """
    columns = []
    for layer in layers:
        own = sql.SQL(layer.query("drawn" if layer.draws_itself else "items"))
        tile = sql.SQL(QUERIES["drawn_tile" if layer.draws_itself else "tile"])
        parts = [tile.format(drawn=own, items=own, name=sql.Literal(layer.name))]
        for name in layer.drawn_beside:
            parts.append(sql.SQL(QUERIES["tile"]).format(items=sql.SQL(layer.query(name)), name=sql.Literal(name)))
        made = sql.SQL(" || ").join(sql.SQL("({})").format(part) for part in parts)
        columns.append(sql.SQL("{} as {}").format(made, sql.Identifier(layer.name)))
    return sql.SQL("select {}").format(sql.SQL(", ").join(columns)).as_string()


def tile_values(
    zoom: int, x: int, y: int, layers: Sequence[Layer] = (), narrowing: Narrowing | None = None
) -> dict[str, Any]:
    """Return the parameters of the statement of a tile.

    Parameters
    ----------
    zoom, x, y
        Tile matrix, column and row (OGC 17-083r4); the caller has checked that there is such a tile.
    layers
        Of the statement.
    narrowing
        See `Narrowing`; None: everything is drawn.
    """
    width = _MERCATOR_M / 2**zoom
    return {
        **_values(tile_bbox(zoom, x, y), zoom, _TILE_FEATURES), "x": x, "y": y,
        "tile_west": x * width - _MERCATOR_M / 2, "tile_north": _MERCATOR_M / 2 - y * width, "units": _TILE_UNITS / width,
        **only(layers, narrowing or {}),
    }  # fmt: skip


def only(layers: Sequence[Layer], narrowing: Narrowing) -> dict[str, list[str] | None]:
    """Return what the statements of layers for maps bind of a narrowing."""
    return {
        f"only_{name}": list(narrowing[name]) if name in narrowing else None
        for layer in layers
        for name in layer.narrowed_by
    }


def tile_bbox(zoom: int, x: int, y: int) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a tile and its buffer, in degrees (spherical Mercator, EPSG:3857)."""

    def lat(row: float) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**zoom))))

    west, east = ((x + part) / 2**zoom * 360 - 180 for part in (-_BUFFER, 1 + _BUFFER))
    return max(west, -180), lat(y + 1 + _BUFFER), min(east, 180), lat(y - _BUFFER)


def _values(
    bbox: tuple[float, float, float, float], zoom: int, limit: int, at: datetime | None = None
) -> dict[str, Any]:
    west, south, east, north = bbox
    return {
        "west": west, "south": south, "east": east, "north": north,
        "zoom": zoom, "limit": limit, "at": at, "pixel": 360 / _TILE_PIXELS / 2**zoom,
    }  # fmt: skip
