"""The part of an OpenStreetMap extract that becomes the road graph, with the speeds of vehicles on duty."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import osmium
from osmium.filter import KeyFilter

from geo_grid.errors import UserError

_SLOWEST_KMH, _FASTEST_KMH = 5, 200
_ON_ROADS = ("highway", "route", "man_made", "railway")
"""Keys of the ways that Valhalla converts to edges: roads, ferries, piers, platforms."""


class ServiceArea(NamedTuple):
    """Area and speeds of a road graph.

    Attributes
    ----------
    box
        west, south, east, north in degrees: ways that intersect it are taken; None: the whole extract.
    speeds_kmh
        Pairs of an OpenStreetMap highway class and the speed of vehicles on duty on it, in place of speed limits.
    """

    box: tuple[float, float, float, float] | None = None
    speeds_kmh: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, box: tuple[float, float, float, float] | None, speeds: str) -> Self:
        """Parse speeds of the settings, such as `primary=70|residential=40` (km/h). Raises UserError."""
        found = []
        for part in filter(None, speeds.split("|")):
            road, _, kmh = part.partition("=")
            if not road.strip() or not kmh.strip().isdecimal() or not _SLOWEST_KMH <= int(kmh) <= _FASTEST_KMH:
                message = (
                    f"GEO_GRID_RESPONSE_ROAD_SPEEDS: {part!r}: write a class of road and km/h between {_SLOWEST_KMH} and"
                    f" {_FASTEST_KMH}, such as primary=70"
                )
                raise UserError(message)
            found.append((road.strip(), int(kmh)))
        return cls(box, tuple(sorted(found)))

    def key(self, sha256: str) -> str:
        """Return the key of the graph made from this area and an extract with this digest."""
        return sha256 if self == WHOLE else hashlib.sha256(f"{sha256} {self}".encode()).hexdigest()

    def write(self, extract: Path, target: Path) -> None:
        """Write the part of an extract that lies in the area. Raises RuntimeError when the file is no extract."""
        speeds, kept = dict(self.speeds_kmh), osmium.IdTracker()
        with osmium.BackReferenceWriter(str(target), ref_src=str(extract), overwrite=True, remove_tags=False) as writer:
            for way in _ways(extract):
                if self.box is not None and not _reaches(way, self.box):
                    continue
                kept.add_way(way.id)
                kmh = speeds.get(way.tags.get("highway") or "")
                writer.add_way(way if kmh is None else way.replace(tags={**dict(way.tags), "maxspeed": str(kmh)}))
            for relation in osmium.FileProcessor(str(extract), osmium.osm.RELATION):
                if relation.tags.get("type") == "restriction" and kept.contains_any_references(relation):
                    writer.add_relation(relation)


WHOLE = ServiceArea()
"""Everything in the extract, with the speeds that are in it."""


def _ways(extract: Path) -> Iterator[osmium.osm.Way]:
    processor = osmium.FileProcessor(str(extract), osmium.osm.NODE | osmium.osm.WAY).with_locations()
    for found in processor.with_filter(KeyFilter(*_ON_ROADS)):
        if isinstance(found, osmium.osm.Way):
            yield found


def _reaches(way: osmium.osm.Way, box: tuple[float, float, float, float]) -> bool:
    west, south, east, north = box
    return any(node.location.valid() and west <= node.lon <= east and south <= node.lat <= north for node in way.nodes)
