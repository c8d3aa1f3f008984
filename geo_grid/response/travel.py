"""How police units travel: costing options from the settings, traffic factors by hour, and road closures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import cos, radians
from typing import Any, Self

import shapely

from geo_grid.errors import UserError
from geo_grid.layers.periods import check_periods, is_within
from geo_grid.response.circles import Place
from geo_grid.response.router import Estimate
from geo_grid.response.simpler import simpler
from geo_grid.response.worker import Ride
from geo_grid.settings import Settings

_CLOSED_WIDTH_M = 8.0
"""Metres by which a closure drawn as a line is buffered to a polygon, to each side."""
_DEGREE_M = 111_195.0
_CLOSURES_WITHIN_DEGREES = 0.3
_SIMPLE_CORNERS, _SIMPLIFIED_M = 500, 5.0
"""Closed areas with more vertices are simplified with this tolerance in metres: Valhalla tests every vertex at each query."""
ON_FOOT = frozenset({"foot", "volunteers"})


@dataclass(frozen=True)
class Travel:
    """How vehicles and people on foot travel, apart from closures.

    Attributes
    ----------
    traffic
        Pairs of OpenStreetMap opening hours and the factor of travel times in them; the first that matches counts.
    """

    estimate: Estimate
    road_reach_m: float
    walk_reach_m: float
    ignores_one_ways: bool
    top_speed_kmh: int
    uses_ferries: bool = False
    traffic: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read the settings. Raises UserError."""
        return cls(
            Estimate(settings.response_speed_kmh, settings.response_on_foot_kmh, settings.response_detour_factor),
            settings.response_road_reach_m,
            settings.response_walk_reach_m,
            settings.response_ignores_one_ways,
            settings.response_top_speed_kmh,
            settings.response_uses_ferries,
            _read_traffic(settings.response_traffic),
        )

    def factor_at(self, moment: datetime | None) -> float:
        """Return the traffic factor of vehicles at a moment (in the city's time zone); None: free roads, factor 1."""
        return next((times for hours, times in self.traffic if moment and is_within(hours, moment)), 1.0)

    def ride(self, unit_kind: str = "car", moment: datetime | None = None, closed: Sequence[Any] = ()) -> Ride:
        """Return the ride of a kind of unit at a moment (in the city's time zone; None: free roads), avoiding closures."""
        drawn, lined = (
            [part for shape in closed if (shapely.get_dimensions(shape) == 1) == is_line for part in _polygons(shape)]
            for is_line in (False, True)
        )
        told = simpler([*drawn, *lined])
        areas, lines = (
            [ring for part in some for ring in _rings(part)] for some in (told[: len(drawn)], told[len(drawn) :])
        )
        rings, ferries = (*areas, *lines), (("exclude_ferries", not self.uses_ferries),)
        if unit_kind in ON_FOOT:
            return self._walking(Ride("pedestrian", ferries, 1.0, self.road_reach_m, rings, closed_areas=len(areas)))
        options = (("ignore_oneways", self.ignores_one_ways), ("top_speed", self.top_speed_kmh), *ferries)
        ride = Ride("auto", options, self.factor_at(moment), self.road_reach_m, rings, closed_areas=len(areas))
        return self._walking(ride)

    def _walking(self, ride: Ride) -> Ride:
        pace = self.estimate.detour_factor / (self.estimate.on_foot_kmh / 3.6)
        return ride._replace(walk_reach_m=self.walk_reach_m, walk_s_per_m=pace)


def closures_near(closures: Sequence[Any], place: Place) -> list[Any]:
    """Clip closures to some 30 km around a place (lon, lat in degrees), as far as a circle around it can reach."""
    lon, lat = place
    reach = shapely.box(
        lon - _CLOSURES_WITHIN_DEGREES, lat - _CLOSURES_WITHIN_DEGREES,
        lon + _CLOSURES_WITHIN_DEGREES, lat + _CLOSURES_WITHIN_DEGREES,
    )  # fmt: skip
    return [part for shape in closures if shapely.intersects(reach, shape) for part in _within(reach, shape)]


def _within(reach: Any, shape: Any) -> list[Any]:
    """Clip a shape to a box; return its parts, without those that only touch the box's edge."""
    if shapely.covers(reach, shape):
        return [shape]
    parts = shapely.get_parts(shapely.intersection(shape, reach))
    return list(parts[shapely.get_dimensions(parts) == shapely.get_dimensions(shape)])


def _polygons(shape: Any) -> list[Any]:
    """Return a closure as polygons; a line is buffered enough to cut a road."""
    if shapely.get_dimensions(shape) == 1:
        flatter = cos(radians(shapely.bounds(shape)[1]))
        flat = shapely.transform(shape, lambda xy: xy * [flatter, 1.0])
        wide = shapely.buffer(flat, _CLOSED_WIDTH_M / _DEGREE_M, cap_style="flat", quad_segs=1)
        shape = shapely.transform(wide, lambda xy: xy / [flatter, 1.0])
    if shapely.get_num_coordinates(shape) > _SIMPLE_CORNERS:
        shape = shapely.simplify(shape, _SIMPLIFIED_M / _DEGREE_M)
    return list(shapely.get_parts(shape))


def _rings(polygon: Any) -> list[tuple[Place, ...]]:
    """Return a polygon as closed rings of lon, lat."""
    parts = _without_holes(polygon)
    return [tuple((float(lon), float(lat)) for lon, lat in shapely.get_coordinates(part.exterior)) for part in parts]


def _without_holes(polygon: Any) -> Any:
    """Split a polygon with holes into parts without: Valhalla takes exterior rings only."""
    if not shapely.get_num_interior_rings(polygon):
        return [polygon]
    return shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))


def _read_traffic(text: str) -> tuple[tuple[str, float], ...]:
    found = []
    for part in filter(None, text.split("|")):
        periods, _, factor = part.rpartition("=")
        try:
            found.append((check_periods(periods.strip()), float(factor)))
        except ValueError as error:
            message = f"GEO_GRID_RESPONSE_TRAFFIC: {part!r}: write opening hours = factor ({error})"
            raise UserError(message) from None
        if not 0.1 <= found[-1][1] <= 10 or not periods.strip():
            message = f"GEO_GRID_RESPONSE_TRAFFIC: {part!r}: name the hours, and a factor between 0.1 and 10"
            raise UserError(message)
    return tuple(found)
