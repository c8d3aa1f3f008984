"""Reading OpenStreetMap extracts, in the child process: roads, and what the base map shows besides them, in one pass."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched, compress
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import pyarrow as pa
import shapely
from osmium.filter import KeyFilter
from osmium.geom import WKBFactory

from geo_grid.coordinates import snap_geometry
from geo_grid.errors import UnreadableFile
from geo_grid.files.rows import GEOMETRY, Rows

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
_SCHEMA = pa.schema(
    {
        "is_road": pa.bool_(),
        "feature_kind": pa.string(),
        "feature_class": pa.string(),
        "name": pa.string(),
        "osm_id": pa.int64(),
        "one_way": pa.bool_(),
        "speed_kmh": pa.float64(),
        "min_zoom": pa.int32(),
        GEOMETRY: pa.large_binary(),
    }
)
"""Of a row, and of `_Found`, in which the way to make the shape stands in the place of the geometry."""
_BATCH = 20_000

type _Found = tuple[bool, str | None, str, str, int, bool | None, float | None, int | None, Callable[[], str]]


def read_extract(path: Path, said: str, box: tuple[float, float, float, float] | None) -> Rows:
    """Read roads and base features.

    `about` tells `data_from`, the moment the extract says it shows (or None), and `left_out`, how many objects were
    left out, by reason. A road's `feature_class` is its class, and it has no kind.

    Raises
    ------
    UnreadableFile
        It is truncated, or no extract.
    """
    left_out: dict[str, int] = {}
    try:
        data_from, rows = _read(path, None if box is None else shapely.box(*box), left_out)
    except (RuntimeError, osmium.InvalidLocationError) as error:
        message = f"{said} is not a whole OpenStreetMap extract: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    batches = (
        pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(zip(*chunk, strict=True), _SCHEMA, strict=True)],
            schema=_SCHEMA,
        )
        for chunk in batched(rows, _BATCH, strict=False)
    )
    return Rows({"data_from": data_from, "left_out": left_out}, _SCHEMA, batches)


def _read(path: Path, box: Any, left_out: dict[str, int]) -> tuple[str | None, list[tuple[Any, ...]]]:
    factory = WKBFactory()
    processor = (
        osmium.FileProcessor(str(path)).with_locations().with_areas(KeyFilter(*_KEYS)).with_filter(KeyFilter(*_KEYS))
    )
    data_from = None
    said = processor.header.get("osmosis_replication_timestamp") or processor.header.get("timestamp")
    with contextlib.suppress(ValueError):
        data_from = datetime.fromisoformat(said).isoformat() if said else None
    drawn = _drawn((row for found in processor for row in _rows(found, factory)), left_out)
    return data_from, [row for some in batched(drawn, _BATCH, strict=False) for row in _kept(some, box, left_out)]


def _drawn(rows: Iterator[_Found], left_out: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    """Yield rows with their shape as WKB, without those whose shape cannot be drawn."""
    for row in rows:
        try:
            yield (*row[:-1], row[-1]())
        except (RuntimeError, osmium.InvalidLocationError):
            _leave_out(left_out, "incomplete in the extract", 1)


def _kept(rows: Sequence[tuple[Any, ...]], box: Any, left_out: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    """Yield rows with their shape on the lattice, and their first zoom, without those outside the box or of no valid shape."""
    shapes = snap_geometry(shapely.from_wkb([row[-1] for row in rows]))
    is_outside = np.zeros(len(rows), dtype=bool) if box is None else ~shapely.intersects(box, shapes)
    is_unsound = (shapely.is_empty(shapes) | ~shapely.is_valid(shapes)) & ~is_outside
    _leave_out(left_out, "outside the city", int(is_outside.sum()))
    _leave_out(left_out, "not a valid shape", int(is_unsound.sum()))
    for row, shape, wkb in compress(zip(rows, shapes, shapely.to_wkb(shapes), strict=True), ~(is_outside | is_unsound)):
        zoom = _zoom_of(shape) if row[7] is None and not row[0] else row[7]
        yield (*row[:7], zoom, wkb)


def _leave_out(left_out: dict[str, int], why: str, count: int) -> None:
    if count:
        left_out[why] = left_out.get(why, 0) + count


def _rows(found: Any, factory: WKBFactory) -> Iterator[_Found]:
    """Yield what is kept of an object."""
    tags = found.tags
    if found.is_node():
        if tags.get("place") in _PLACES and "name" in tags:
            place = tags["place"]
            yield (
                False, "place", place, _name(tags), found.id, None, None, _PLACES[place],
                lambda: factory.create_point(found),
            )  # fmt: skip
    elif found.is_way():
        if tags.get("highway") in _ROADS and tags.get("area") != "yes":
            one_way = tags.get(
                "oneway", "yes" if tags["highway"] == "motorway" or tags.get("junction") == "roundabout" else "no"
            )
            yield (
                True, None, tags["highway"], _name(tags), found.id, one_way in ("yes", "true", "1", "-1"), _speed(tags),
                None, lambda: _line(factory.create_linestring(found), is_against=one_way == "-1"),
            )  # fmt: skip
        for kind, key, zooms in _LINES:
            if tags.get(key) in zooms:
                value = tags[key]
                yield (
                    False, kind, value, _name(tags), found.id, None, None, zooms[value],
                    lambda: factory.create_linestring(found),
                )  # fmt: skip
    elif found.is_area():
        said = _area(tags)
        if said is not None:
            yield (
                False, *said, _name(tags), found.orig_id(), None, None,
                _BUILDING_ZOOM if said[0] == "building" else None, lambda: factory.create_multipolygon(found),
            )  # fmt: skip


def _line(wkb: str, is_against: bool) -> Any:
    """Turn a road round that is driven against the way it was drawn."""
    return shapely.to_wkb(shapely.reverse(shapely.from_wkb(wkb))) if is_against else wkb


def _area(tags: Any) -> tuple[str, str] | None:
    if "building" in tags:
        return "building", tags["building"]
    return next(((kind, tags[key]) for kind, key, values in _AREAS if tags.get(key) in values), None)


def _name(tags: Any) -> str:
    return str(tags.get("name:zh") or tags.get("name") or "")[:200]


def _speed(tags: Any) -> float | None:
    number, _, unit = str(tags.get("maxspeed", "")).partition(" ")
    if not (number.isascii() and number.isdigit()) or len(number) > 4 or int(number) == 0:
        return None
    return int(number) * (_MPH_KMH if unit == "mph" else 1)


def _zoom_of(shape: Any) -> int:
    """Return the first zoom at which an area is some pixels wide."""
    _, south, _, north = shapely.bounds(shape)
    metres = math.sqrt(shapely.area(shape)) * 111_320 / math.sqrt(math.cos(math.radians((south + north) / 2)))
    zoom = math.log2(_SEEN_PIXELS * _WORLD_M / _TILE_PIXELS / max(metres, 1.0))
    return min(max(math.ceil(zoom), 4), 16)
