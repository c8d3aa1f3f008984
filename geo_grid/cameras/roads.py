"""How much of each road cameras see, and the stretches that none does."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import Connection, connect, load_queries
from geo_grid.errors import NotFound, UserError
from geo_grid.layers.geojson import Feature, as_geojson

QUERIES = load_queries("geo_grid.cameras", "roads.sql")
MOST_ROADS = 20_000
"""Ways of an extract that are looked at once: some seconds."""
_SHORTEST_M = 5.0
"""Shorter stretches between what is seen are not told: positions of cameras and centre lines are no more exact."""


@dataclass(frozen=True)
class Roads:
    """The roads within a cell.

    Attributes
    ----------
    names, classes
        Of each way, as OpenStreetMap has them; a name may be empty.
    ways
        Their centre lines, degrees (EPSG:4490).
    inside
        What of them lies in the cell.
    unseen
        What of that no camera sees.
    """

    name: str
    names: list[str]
    classes: list[str]
    ways: NDArray[np.object_]
    inside: NDArray[np.object_]
    unseen: NDArray[np.object_]


def read_roads(connection: Connection, within: str) -> Roads:
    """Read the roads in a cell, with the rights of the connection's principal, and work out what no camera sees of them.

    Cameras that are off count, as for cells; secret ones do not.

    Raises
    ------
    NotFound
        There is no such cell.
    UserError
        It has more roads than are looked at once.
    """
    cell = connection.execute(QUERIES["cell"], {"within": within}).fetchone()
    if cell is None:
        message = f"there is no grid cell {within[:40]!r}"
        raise NotFound(message)
    rows = connection.execute(QUERIES["roads"], {"cell": cell["geom"], "most": MOST_ROADS + 1}).fetchall()
    if len(rows) > MOST_ROADS:
        message = f"{within} has more than {MOST_ROADS:,} roads, which is the most at once: choose a cell within it"
        raise UserError(message)
    found = connection.execute(QUERIES["views"], {"cell": cell["geom"]}).fetchall()
    ways = shapely.from_wkb(np.array([bytes(row["geom"]) for row in rows], dtype=object))
    views = shapely.from_wkb(np.array([bytes(row["geom"]) for row in found], dtype=object))
    shape = shapely.from_wkb(bytes(cell["geom"]))
    shapely.prepare(shape)
    inside = lines_of(shapely.intersection(ways, shape))
    return Roads(
        cell["name"],
        [row["name"] for row in rows],
        [row["road_class"] for row in rows],
        ways,
        inside,
        unseen_of(inside, views),
    )


def unseen_of(lines: NDArray[np.object_], views: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return what of lines no view covers, as multi-lines (empty: all is seen). Both in degrees."""
    left = lines.copy()
    near: dict[int, list[int]] = {}
    if len(views) and len(lines):
        for line, view in shapely.STRtree(views).query(lines, "intersects").T.tolist():
            near.setdefault(line, []).append(view)
    for line, some in near.items():
        left[line] = shapely.difference(lines[line], shapely.union_all(views[some]))
    return lines_of(left)


def lines_of(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the lines of shapes as multi-lines: overlays leave points where shapes touch as well."""
    parts, of = shapely.get_parts(shapes, return_index=True)
    # the lines of a collection, which an overlay of lines and an area may be
    parts, deeper = shapely.get_parts(parts, return_index=True)
    of = of[deeper]
    is_line = (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(parts)
    out = np.full(len(shapes), shapely.MultiLineString(), dtype=object)
    if is_line.any():
        shapely.multilinestrings(parts[is_line], indices=of[is_line], out=out)
    return out


def lengths_m(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the lengths of lines on the ellipsoid, in metres."""
    parts, of = shapely.get_parts(shapes, return_index=True)
    corners, part = shapely.get_coordinates(parts, return_index=True)
    lengths = np.zeros(len(shapes))
    same = part[1:] == part[:-1]
    if same.any():
        begin, end = corners[:-1][same], corners[1:][same]
        _, _, metres = ELLIPSOID.inv(begin[:, 0], begin[:, 1], end[:, 0], end[:, 1])
        np.add.at(lengths, of[part[:-1][same]], metres)
    return lengths


class RoadCoverage(BaseModel):
    """How much of a road in a cell cameras see."""

    name: str = Field(description="empty: it has none, and is one way of the extract")
    road_class: str = Field(description="of its longest part, as OpenStreetMap has it")
    length_m: float
    seen_m: float
    share: float = Field(description="seen, of the whole")


class Stretch(BaseModel):
    """A stretch that no camera sees."""

    name: str
    road_class: str
    length_m: float


class StretchFeature(Feature[Stretch]):
    """Where it is."""


class RoadsSeen(BaseModel):
    """What cameras see of the roads in a cell."""

    within: str
    length_m: float
    seen_m: float
    roads: list[RoadCoverage] = Field(description="those with most that is not seen first; those of one name together")
    stretches: list[StretchFeature] = Field(description="the longest first")


def roads_seen_apart(conninfo: str, within: str, most_roads: int, most_stretches: int, shift: str) -> RoadsSeen:
    """Say how much of each road in a cell cameras see, with the rights of the principal that `conninfo` names.

    It takes seconds: a server calls it in a process with limits. `shift`: see `as_geojson`. Raises as `read_roads` does.
    """
    with connect(conninfo) as connection:
        found = read_roads(connection, within)
    whole, left = lengths_m(found.inside), lengths_m(found.unseen)
    of_road: dict[str, list[int]] = {}
    for at, name in enumerate(found.names):
        of_road.setdefault(name or f"#{at}", []).append(at)
    roads, stretches = [], []
    for ways in of_road.values():
        length = float(whole[ways].sum())
        if length <= 0:  # it only touches the cell
            continue
        name, road_class = found.names[ways[0]], found.classes[ways[int(np.argmax(whole[ways]))]]
        seen = max(0.0, length - float(left[ways].sum()))
        roads.append(RoadCoverage(name=name, road_class=road_class, length_m=length, seen_m=seen, share=seen / length))
        merged = shapely.get_parts(shapely.line_merge(shapely.union_all(found.unseen[ways])))
        stretches += [
            (float(metres), name, road_class, line)
            for line, metres in zip(merged, lengths_m(merged), strict=True)
            if metres >= _SHORTEST_M
        ]
    roads.sort(key=lambda one: (one.seen_m - one.length_m, one.name))
    stretches.sort(key=lambda one: (-one[0], one[1]))
    return RoadsSeen(
        within=within,
        length_m=float(whole.sum()),
        seen_m=max(0.0, float(whole.sum() - left.sum())),
        roads=roads[:most_roads],
        stretches=[
            StretchFeature(
                geometry=as_geojson(line, shift=shift),
                properties=Stretch(name=name, road_class=road_class, length_m=round(metres, 1)),
            )
            for metres, name, road_class, line in stretches[:most_stretches]
        ],
    )
