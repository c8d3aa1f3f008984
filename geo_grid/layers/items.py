"""The rows of a layer for a part of the map, as GeoJSON made by the database."""

import json

from geo_grid.db import AsyncConnection
from geo_grid.layers.layer import Layer

_TILE_PIXELS = 256


async def items(
    connection: AsyncConnection,
    layer: Layer,
    bbox: tuple[float, float, float, float],
    zoom: int,
    limit: int,
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

    Returns
    -------
    A GeoJSON FeatureCollection as text, with the foreign member `truncated`.
    """
    west, south, east, north = bbox
    values = {"west": west, "south": south, "east": east, "north": north, "zoom": zoom, "limit": limit + 1}
    rows = await (
        await connection.execute(layer.query("items"), {**values, "pixel": 360 / _TILE_PIXELS / 2**zoom})
    ).fetchall()
    features = ",".join(
        # the geometry is already JSON: it is put in as it is
        f'{{"type":"Feature","id":{json.dumps(row["id"])},"geometry":{row["geometry"]},'
        f'"properties":{json.dumps(row["properties"], ensure_ascii=False)}}}'
        for row in rows[:limit]
        if row["geometry"] is not None
    )
    truncated = "true" if len(rows) > limit else "false"
    return f'{{"type":"FeatureCollection","truncated":{truncated},"features":[{features}]}}'
