"""OpenStreetMap extracts: roads, and what the base map shows besides them, read in one pass and stored whole."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import osmium
import shapely
from osmium.filter import KeyFilter
from osmium.geom import WKBFactory

from geo_grid.coordinates import snap_geometry
from geo_grid.db import Connection, copy_rows, ewkb, load_queries
from geo_grid.errors import UnreadableFile, UserError
from geo_grid.exchange.geometry import Extent
from geo_grid.progress import Progress
from geo_grid.response import ServiceArea, build_graph

ENDINGS = (".osm.pbf", ".osm", ".osm.bz2", ".osm.gz")
QUERIES = load_queries("geo_grid.exchange", "osm.sql")
_MARGIN_DEGREES = 0.1
"""About 10 km around the city are kept: who drives to its border passes there."""
_SERVED_DEGREES = 0.2
"""Vehicles drive around the city's corners, outside it."""
_KEYS = ("highway", "building", "natural", "landuse", "leisure", "water", "waterway", "railway", "place", "amenity")
_ROADS = frozenset({
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link",
    "tertiary", "tertiary_link", "unclassified", "residential", "living_street", "service", "pedestrian", "track",
    "path", "footway", "cycleway", "bridleway", "steps", "road", "busway",
})  # fmt: skip
# kind by tag, the first that fits (wiki.openstreetmap.org, Map features)
_AREAS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("water", "natural", frozenset({"water", "bay"})),
    ("water", "landuse", frozenset({"reservoir", "basin", "salt_pond"})),
    ("water", "waterway", frozenset({"riverbank", "dock"})),
    ("green", "natural", frozenset({"wood", "scrub", "grassland", "heath", "wetland"})),
    ("green", "landuse", frozenset({
        "forest", "grass", "meadow", "orchard", "vineyard", "cemetery", "recreation_ground", "village_green",
    })),
    ("green", "leisure", frozenset({"park", "garden", "golf_course", "nature_reserve", "pitch"})),
    ("farmland", "landuse", frozenset({"farmland", "farmyard", "greenhouse_horticulture"})),
    ("built_up", "landuse", frozenset({
        "residential", "commercial", "industrial", "retail", "education", "railway", "construction", "military",
    })),
    ("built_up", "amenity", frozenset({"school", "university", "hospital"})),
)  # fmt: skip
_LINES: tuple[tuple[str, str, Mapping[str, int]], ...] = (
    ("waterway", "waterway", {"river": 8, "canal": 10, "stream": 13, "drain": 14, "ditch": 15}),
    ("railway", "railway", {"rail": 9, "light_rail": 11, "subway": 12, "tram": 13}),
)
_PLACES = {
    "city": 5,
    "county": 7,
    "town": 8,
    "suburb": 11,
    "village": 12,
    "quarter": 12,
    "neighbourhood": 13,
    "hamlet": 14,
}
_BUILDING_ZOOM = 14
_WORLD_M, _TILE_PIXELS, _SEEN_PIXELS = 40_075_016.0, 256, 4
_MPH_KMH = 1.609344
_COUNTED = 20_000


@dataclass
class OsmReport:
    """What an extract brought.

    Attributes
    ----------
    roads, base_features
        Rows stored, which replace those of the extract before.
    data_from
        The moment the extract says it shows; None when it says none.
    left_out
        How many objects were left out, by reason.
    """

    roads: int = 0
    base_features: int = 0
    data_from: datetime | None = None
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass
class _Kept:
    roads: list[tuple[Any, ...]] = field(default_factory=list)
    road_shapes: list[Any] = field(default_factory=list)
    features: list[tuple[Any, ...]] = field(default_factory=list)
    feature_shapes: list[Any] = field(default_factory=list)


def is_osm(path: Path) -> bool:
    """Say whether a file is an OpenStreetMap extract, by its name."""
    return path.name.lower().endswith(ENDINGS)


def import_osm(
    connection: Connection,
    path: Path,
    progress: Progress,
    extent: Extent | None,
    dry_run: bool = False,
    roads_dir: Path | None = None,
    is_demo: bool = False,
    road_speeds: str = "",
) -> OsmReport:
    """Replace roads and base features by those of an extract, in the caller's transaction.

    Parameters
    ----------
    extent
        west, south, east, north of the city, degrees: what lies more than a margin outside is left out.
    dry_run
        Do everything, tell of it, and take it back.
    roads_dir
        Where the road graph for travel times is kept; None: none is built. It is in place before the transaction
        ends, and a server takes it up when the transaction is committed. It holds the roads of the city and
        `_SERVED_DEGREES` around it.
    road_speeds
        What vehicles on duty drive, as `ServiceArea.of` reads it.

    Raises
    ------
    UnreadableFile
        It is missing, truncated, or no extract.
    UserError
        Nothing in it lies in the city.
    """
    report = OsmReport()
    area = ServiceArea.of(None if extent is None else _wider(extent, _SERVED_DEGREES), road_speeds)
    box = None if extent is None else shapely.box(*_wider(extent, _MARGIN_DEGREES))
    if not path.is_file():
        message = f"{path}: there is no such file"
        raise UnreadableFile(message)
    try:
        with progress(f"reading {path.name}") as advance:
            kept = _read(path, box, report, advance)
    except (RuntimeError, osmium.InvalidLocationError) as error:
        message = f"{path} is not a whole OpenStreetMap extract: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    if not kept.roads:
        where = (
            ""
            if extent is None
            else " in or near the city, whose cells lie at {:.2f} {:.2f} to {:.2f} {:.2f}".format(*extent)
        )
        message = f"{path.name} has no roads{where}: take an extract of this city"
        raise UserError(message)
    report.roads, report.base_features = len(kept.roads), len(kept.features)
    with (
        progress("storing roads and base map", report.roads + report.base_features) as advance,
        connection.transaction(force_rollback=dry_run),
    ):
        connection.execute(QUERIES["clear_roads"])
        connection.execute(QUERIES["clear_base_features"])
        _store(
            connection,
            "roads",
            ["osm_id", "name", "road_class", "one_way", "speed_kmh", "is_demo"],
            [(*row, is_demo) for row in kept.roads],
            kept.road_shapes,
            advance,
        )
        _store(
            connection, "base_features", ["feature_kind", "feature_class", "name", "min_zoom", "osm_id", "is_demo"],
            [(*row, is_demo) for row in kept.features], kept.feature_shapes, advance,
        )  # fmt: skip
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        connection.execute(
            QUERIES["put_extract"],
            {
                "file_name": path.name,
                "sha256": digest,
                "is_demo": is_demo,
                "graph_key": area.key(digest) if roads_dir else None,
                **vars(report),
            },
        )
    if roads_dir is not None and not dry_run:
        with progress("building the road graph"):
            build_graph(path, roads_dir, digest, area)
    return report


def _wider(extent: Extent, degrees: float) -> Extent:
    west, south, east, north = extent
    return west - degrees, south - degrees, east + degrees, north + degrees


def _store(
    connection: Connection,
    table: str,
    columns: list[str],
    rows: list[Any],
    shapes: list[Any],
    advance: Callable[[int], None],
) -> None:
    geometry = ewkb(shapes) if shapes else []
    copy_rows(
        connection, table, [*columns, "geom"], ((*row, geom) for row, geom in zip(rows, geometry, strict=True)), advance
    )


def _read(path: Path, box: Any, report: OsmReport, advance: Callable[[int], None]) -> _Kept:
    kept, factory = _Kept(), WKBFactory()
    processor = (
        osmium.FileProcessor(str(path)).with_locations().with_areas(KeyFilter(*_KEYS)).with_filter(KeyFilter(*_KEYS))
    )
    said = processor.header.get("osmosis_replication_timestamp") or processor.header.get("timestamp")
    if said:
        report.data_from = datetime.fromisoformat(said)
    for number, found in enumerate(processor, 1):
        if number % _COUNTED == 0:
            advance(_COUNTED)
        for is_road, row, make in _rows(found, factory):
            try:
                shape = snap_geometry(shapely.from_wkb(make()))
            except (RuntimeError, osmium.InvalidLocationError):
                _leave_out(report, "incomplete in the extract")
                continue
            if box is not None and not shapely.intersects(box, shape):
                _leave_out(report, "outside the city")
            elif shapely.is_empty(shape) or not shapely.is_valid(shape):
                _leave_out(report, "not a valid shape")
            elif is_road:
                kept.roads.append(row[1:])
                kept.road_shapes.append(shapely.reverse(shape) if row[0] else shape)
            else:
                area = _zoom_of(shape) if row[3] is None else row[3]
                kept.features.append((*row[:3], area, row[4]))
                kept.feature_shapes.append(shape)
    return kept


def _leave_out(report: OsmReport, why: str) -> None:
    report.left_out[why] = report.left_out.get(why, 0) + 1


def _rows(found: Any, factory: WKBFactory) -> Iterator[tuple[bool, tuple[Any, ...], Callable[[], str]]]:
    """Yield what is kept of an object: whether it is a road, its columns, and how to make its shape."""
    tags = found.tags
    if found.is_node():
        if tags.get("place") in _PLACES and "name" in tags:
            place = tags["place"]
            yield False, ("place", place, _name(tags), _PLACES[place], found.id), lambda: factory.create_point(found)
    elif found.is_way():
        if tags.get("highway") in _ROADS and tags.get("area") != "yes":
            one_way = tags.get(
                "oneway", "yes" if tags["highway"] == "motorway" or tags.get("junction") == "roundabout" else "no"
            )
            yield (
                True,
                (
                    one_way == "-1",
                    found.id,
                    _name(tags),
                    tags["highway"],
                    one_way in ("yes", "true", "1", "-1"),
                    _speed(tags),
                ),
                lambda: factory.create_linestring(found),
            )
        for kind, key, zooms in _LINES:
            if tags.get(key) in zooms:
                value = tags[key]
                yield (
                    False,
                    (kind, value, _name(tags), zooms[value], found.id),
                    lambda: factory.create_linestring(found),
                )
    elif found.is_area():
        said = _area(tags)
        if said is not None:
            yield (
                False,
                (*said, _name(tags), _BUILDING_ZOOM if said[0] == "building" else None, found.orig_id()),
                (lambda: factory.create_multipolygon(found)),
            )


def _area(tags: Any) -> tuple[str, str] | None:
    if "building" in tags:
        return "building", tags["building"]
    return next(((kind, tags[key]) for kind, key, values in _AREAS if tags.get(key) in values), None)


def _name(tags: Any) -> str:
    return str(tags.get("name:zh") or tags.get("name") or "")[:200]


def _speed(tags: Any) -> float | None:
    number, _, unit = str(tags.get("maxspeed", "")).partition(" ")
    if not number.isdigit() or int(number) == 0:
        return None
    return int(number) * (_MPH_KMH if unit == "mph" else 1)


def _zoom_of(shape: Any) -> int:
    """Return the first zoom at which an area is some pixels wide."""
    _, south, _, north = shapely.bounds(shape)
    metres = math.sqrt(shapely.area(shape)) * 111_320 / math.sqrt(math.cos(math.radians((south + north) / 2)))
    zoom = math.log2(_SEEN_PIXELS * _WORLD_M / _TILE_PIXELS / max(metres, 1.0))
    return min(max(math.ceil(zoom), 4), 16)
