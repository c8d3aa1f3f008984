"""Patrol zones as a division of their own: areas that do not overlap, and key road segments, which are lines."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import shapely

from geo_grid.boundaries.division import Cell, Division, Edits, Refused, faces, is_number
from geo_grid.boundaries.operations import completed, drawn_area, drawn_line, is_inside

SEGMENT, AREA = 0, 1
"""Values of grid_level for segments and areas: each forms a level of its own."""


class Zones(Division):
    """Patrol zones: `grid_code` is the zone's code, `cell_kind` its zone_type (regular or temporary)."""

    noun = "patrol zone"

    @cached_property
    def _tree(self) -> tuple[list[str], shapely.STRtree]:
        codes = [code for code, zone in self.cells.items() if zone.grid_level == AREA]
        return codes, shapely.STRtree([self.cells[code].shape for code in codes])

    def leaf(self, code: str) -> Cell:
        """Return an area. Raises Refused for a road segment, which cannot be divided."""
        found = self.cell(code)
        if found.grid_level == SEGMENT:
            message = f"{code} {found.name} is a road segment: draw it anew as a whole"
            raise Refused(message)
        return found

    def areas(self) -> Division:
        """Return a division of the areas, without road segments."""
        return Division(zone for zone in self.cells.values() if zone.grid_level == AREA)

    def proved(self, edits: Edits) -> Division:
        """Return the zones with edits applied, if areas do not overlap; see `Division.proved`."""
        areas = {code: zone for code, zone in edits.items() if (zone or self.cells[code]).grid_level == AREA}
        super().proved(areas)
        return self.edited(edits)


def create(
    zones: Division,
    name: str,
    area: Any = None,
    line: Any = None,
    responsible_unit: str = "",
    zone_type: str = "regular",
    code: str | None = None,
) -> Edits:
    """Make a zone on ground without one, or a road segment. Parts of the area in other zones are cut off.

    Parameters
    ----------
    area, line
        Polygon for a zone, or LineString for a segment, lon, lat: exactly one of them.
    code
        None: the next number after the highest code ever used.

    Raises
    ------
    Refused
        The code was used before, or the area without other zones is empty or in pieces.
    """
    if (area is None) == (line is None):
        message = "draw an area, or the line of a road segment"
        raise Refused(message)
    fresh = _next_code(zones) if code is None else code
    if fresh in zones.used_codes:
        message = f"the code {fresh} was given before"
        raise Refused(message)
    zone = Cell(fresh, SEGMENT, None, name, "local", zone_type, None, None, responsible_unit=responsible_unit)
    if area is None:
        return {fresh: replace(zone, shape=drawn_line(line))}
    drawn = drawn_area(area)
    near = [other.shape for other in zones.near(drawn)]
    free = [
        face
        for face in faces([*near, drawn], shapely.boundary(drawn))
        if is_inside(face, drawn) and not any(is_inside(face, other) for other in near)
    ]
    shape = shapely.coverage_union_all(free) if free else None
    if shape is None or shapely.get_num_geometries(shape) != 1:
        message = (
            "all of it belongs to zones already: split or carve those"
            if shape is None
            else "what is free there is in pieces"
        )
        raise Refused(message)
    return completed(zones, {fresh: replace(zone, grid_level=AREA, shape=shape)})


def retire(zones: Division, code: str) -> Edits:
    """End a road segment or a temporary zone.

    Raises
    ------
    Refused
        The zone is a regular area: its ground would have no zone.
    """
    zone = zones.cell(code)
    if zone.grid_level == AREA and zone.cell_kind == "regular":
        message = f"{code} {zone.name} is a regular zone: merge it with a neighbour, so that its ground has one"
        raise Refused(message)
    return {code: None}


def redraw_segment(zones: Division, code: str, line: Any) -> Edits:
    """Replace the line of a road segment. Raises Refused when the code is that of an area."""
    zone = zones.cell(code)
    if zone.grid_level != SEGMENT:
        message = f"{code} {zone.name} is an area: reshape it with an area"
        raise Refused(message)
    return {code: replace(zone, shape=drawn_line(line))}


def _next_code(zones: Division) -> str:
    """Return the next code after the highest ever used with the most common stem."""
    stems: dict[str, int] = {}
    for code in zones.used_codes:
        stem = code.rstrip("0123456789")
        if stem != code:
            stems[stem] = stems.get(stem, 0) + 1
    stem = max(sorted(stems), key=lambda one: stems[one], default="Z")
    tails = (code.removeprefix(stem) for code in zones.used_codes if code.startswith(stem))
    numbers = [tail for tail in tails if is_number(tail)]
    width = max((len(number) for number in numbers), default=3)
    return f"{stem}{max((int(number) for number in numbers), default=0) + 1:0{width}}"
