"""What every camera sees, kept up to date: those that moved, or were turned, and all when the buildings are others."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from pydantic import BaseModel

from geo_grid.cameras.sight import Optics, Usual, metres_per_degree, optics_of, seen
from geo_grid.db import AsyncConnection, Connection, connect, load_queries
from geo_grid.layers.cameras import LAYER
from geo_grid.layers.items import Narrowing, only

QUERIES = load_queries("geo_grid.cameras", "views.sql")
_AT_ONCE = 2_000
_INDOORS = 2


class Drawn(BaseModel):
    """What an update of views did: views worked out, of those such that buildings cut, and views that were taken away."""

    drawn: int = 0
    cut: int = 0
    cleared: int = 0


def update_views(
    connection: Connection, usual: Usual, progress: Callable[[int], None] = lambda count: None, most: int | None = None
) -> tuple[Drawn, bool]:
    """Work out the views of cameras that have none, or another than they should, in the caller's transaction.

    Parameters
    ----------
    most
        So many at most; None: all.

    Returns
    -------
    What was done, and whether more is to do.
    """
    buildings_of = connection.execute(QUERIES["buildings_of"]).fetchone()
    version = int(buildings_of["version"]) if buildings_of else 0
    stale: list[tuple[dict[str, Any], Optics]] = []
    gone: list[int] = []
    for row in connection.execute(QUERIES["cameras"]).fetchall():
        optics = optics_of(
            row["ptz_type"], row["direction_type"], row["azimuth_deg"], row["fov_deg"], row["range_m"], usual
        )
        if optics is None:
            gone += [row["camera_id"]] if row["has_view"] else []
        elif row["view"] != [row["lon"], row["lat"], optics.azimuth_deg, optics.fov_deg, optics.range_m, version]:
            stale.append((row, optics))
    done = Drawn(cleared=len(gone))
    if gone:
        connection.execute(QUERIES["clear"], {"camera_ids": gone})
    for start in range(0, min(len(stale), most or len(stale)), _AT_ONCE):
        part = stale[start : start + _AT_ONCE]
        done.cut += _draw(connection, part, version)
        done.drawn += len(part)
        progress(len(part))
    return done, done.drawn < len(stale)


def update_views_apart(conninfo: str, usual: Usual, most: int) -> bool:
    """Work out so many views (see `update_views`) in a transaction of its own; return whether more is to do.

    It takes seconds and holds the GIL: a server calls it in another process.
    """
    with connect(conninfo) as connection:
        return update_views(connection, usual, most=most)[1]


def look_from(
    connection: Connection, stands: Sequence[tuple[float, float, Optics, bool]]
) -> list[tuple[Any, bool, float]]:
    """Work out what would be seen from places, each with its lon, lat (degrees), optics, and whether it is indoors; see `seen`."""
    reach = []
    for _, lat, optics, _ in stands:
        east, north = metres_per_degree(lat)
        reach.append((optics.range_m / east, optics.range_m / north))
    places = [(lon, lat) for lon, lat, _, _ in stands]
    boxes = shapely.box(
        *(np.array(places) - np.array(reach)).T.tolist(), *(np.array(places) + np.array(reach)).T.tolist()
    )
    found = connection.execute(QUERIES["buildings"], {"wkb": list(shapely.to_wkb(boxes))}).fetchall()
    buildings = shapely.from_wkb([bytes(row["geom"]) for row in found])
    tree = shapely.STRtree(buildings)
    near: dict[int, list[int]] = {}
    for box, building in tree.query(boxes).T.tolist() if len(buildings) else ():
        near.setdefault(box, []).append(building)
    return [
        seen(lon, lat, optics, buildings[near.get(number, [])], is_indoors)
        for number, (lon, lat, optics, is_indoors) in enumerate(stands)
    ]


def _draw(connection: Connection, part: list[tuple[dict[str, Any], Optics]], version: int) -> int:
    """Draw and store views; return how many buildings cut."""
    views = look_from(
        connection, [(row["lon"], row["lat"], optics, row["room_type"] == _INDOORS) for row, optics in part]
    )
    shapes = np.array([shape for shape, _, _ in views], dtype=object)
    connection.execute(
        QUERIES["draw"],
        {
            "camera_ids": [row["camera_id"] for row, _ in part],
            "azimuths": [optics.azimuth_deg for _, optics in part],
            "fovs": [optics.fov_deg for _, optics in part],
            "ranges": [optics.range_m for _, optics in part],
            "cuts": [is_cut for _, is_cut, _ in views],
            "areas": [area for _, _, area in views],
            "wkb": [None if shape is None else shapely.to_wkb(shape) for shape in shapes],
            "lons": [row["lon"] for row, _ in part],
            "lats": [row["lat"] for row, _ in part],
            "version": version,
        },
    )
    return sum(is_cut for _, is_cut, _ in views)


class ViewProperties(BaseModel):
    """Properties of a view."""

    gb28181_id: str
    name: str
    azimuth_deg: float | None
    fov_deg: float
    range_m: float
    is_cut: bool
    camera_state: str | None


async def views_in(
    connection: AsyncConnection,
    box: tuple[float, float, float, float],
    most: int,
    narrowing: Narrowing,
) -> list[dict[str, Any]]:
    """Read the views that reach into a box: west, south, east, north, degrees (EPSG:4490)."""
    values: dict[str, Any] = dict(zip(("west", "south", "east", "north"), box, strict=True))
    values |= {"most": most} | only([LAYER], narrowing)
    return await (await connection.execute(QUERIES["in_box"], values)).fetchall()
