"""Validation of a coverage, for import, check, doctor and index alike: polygons that do not overlap, whose shared borders
have the same vertices, and that leave no narrow gaps between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

NARROW_GAP_M = 1.0
"""Metres up to which the width of an enclosed gap counts as a fault; a wider gap is ground that belongs to no cell."""
METRES_PER_DEGREE = 111_320.0
"""Length of a degree at the equator; for messages, not for measuring."""
_MOST_OVERLAPS = 1_000
_HALVINGS = 12
"""Steps of the bisection of a width: leaves less than a thousandth of the initial interval."""


@dataclass(frozen=True)
class Fault:
    """A place where polygons violate the rules of a coverage.

    Attributes
    ----------
    codes
        Codes of the polygons concerned.
    lon, lat
        The place, in degrees.
    width_m, area_m2
        Width at its widest place, and area, of the overlap or gap; 0 for vertices that do not match.
    """

    kind: Literal["overlap", "mismatch", "gap"]
    codes: tuple[str, ...]
    lon: float
    lat: float
    width_m: float = 0.0
    area_m2: float = 0.0

    def told_of(self, code: str) -> str:
        """Return the fault as a sentence about one of the polygons."""
        others = ", ".join(other for other in self.codes[:4] if other != code)
        size = f"{metres(self.width_m)} wide, {self.area_m2:.2g} m2"
        what = {
            "overlap": f"overlaps {others} ({size})",
            "mismatch": "has a border that does not match its neighbour's",
            "gap": f"leaves a narrow gap to {others or 'itself'} ({size})",
        }[self.kind]
        return f"{what} near lon {self.lon:.6f} lat {self.lat:.6f}"


def coverage_faults(codes: Sequence[str], polygons: Any) -> list[Fault]:
    """Find all places where polygons violate the rules of a coverage.

    Parameters
    ----------
    codes, polygons
        n codes and n valid polygons, lon, lat in degrees.
    """
    shapes = np.asarray(polygons, dtype=object)
    if not len(shapes):
        return []
    bad = shapely.coverage_invalid_edges(shapes)
    wrong = np.flatnonzero(~shapely.is_empty(bad))
    tree = shapely.STRtree(shapes)
    overlaps = list(_overlaps(codes, shapes, tree, wrong))
    told = {code for fault in overlaps for code in fault.codes}
    mismatches = [
        Fault("mismatch", (str(codes[index]),), *map(float, shapely.get_coordinates(bad[index])[0]))
        for index in wrong.tolist()
        if str(codes[index]) not in told
    ]
    owned = shapely.union_all(shapes) if len(wrong) else shapely.coverage_union_all(shapes)
    gaps = []
    for gap, width in narrow_gaps(owned):
        beside = tuple(str(codes[index]) for index in np.sort(tree.query(gap, predicate="intersects")).tolist())
        gaps.append(Fault("gap", beside, *_place(gap), width, float(shapely.area(flat(gap)))))
    return [*overlaps, *mismatches, *gaps]


def _overlaps(codes: Sequence[str], shapes: Any, tree: shapely.STRtree, wrong: NDArray[np.int64]) -> Iterator[Fault]:
    seen: set[int] = set()
    found = 0
    for first in wrong.tolist():
        seen.add(first)
        near = np.sort(tree.query(shapes[first], predicate="intersects"))
        for second in near[shapely.relate_pattern(shapes[first], shapes[near], "T********")].tolist():
            if second in seen:
                continue
            shared = shapely.intersection(shapes[first], shapes[second])
            parts = [part for part in shapely.get_parts(shared) if part.geom_type == "Polygon"]
            if parts:
                widths = [width_m(part) for part in parts]
                lon, lat = _place(parts[int(np.argmax(widths))])
            else:  # too thin for its width to be computed in double precision
                widths, (lon, lat) = [0.0], map(float, shapely.get_coordinates(shared)[0])
            area = float(shapely.area(flat(shared)))
            yield Fault("overlap", (str(codes[first]), str(codes[second])), lon, lat, max(widths), area)
            found += 1
            if found == _MOST_OVERLAPS:
                return


def narrow_gaps(owned: Any) -> list[tuple[Any, float]]:
    """Return the holes of an area whose width is at most `NARROW_GAP_M`, with their width in metres."""
    rings = [ring for part in shapely.get_parts(owned) for ring in part.interiors]
    holes = shapely.polygons(np.array(rings, dtype=object))
    widths = ((hole, width_m(hole)) for hole in holes if _least_width(flat(hole)) < NARROW_GAP_M)
    return [(hole, width) for hole, width in widths if width < NARROW_GAP_M]


def flat(shape: Any) -> Any:
    """Project a shape, or an array of shapes, to metres east and north of their common centre; for small areas."""
    west, south, east, north = shapely.total_bounds(shape)
    middle = np.array([(west + east) / 2, (south + north) / 2])
    scale = np.array([np.cos(np.radians(middle[1])), 1.0]) * METRES_PER_DEGREE
    return shapely.transform(shape, lambda degrees: (degrees - middle) * scale)


def width_m(polygon: Any) -> float:
    """Return the width of a polygon (lon, lat in degrees) in metres: the diameter of the largest circle inside it.

    Found by bisection, since a negative buffer by half the width makes the polygon vanish. The lower bound is twice the
    area divided by the perimeter.
    """
    shape = flat(polygon)
    least = _least_width(shape)
    most = 2 * least
    while not _is_narrower(shape, most):
        most *= 2
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if _is_narrower(shape, middle) else (middle, most)
    return most


def widest(ground: Any) -> tuple[float, float, float]:
    """Return the largest width in metres of the parts of a geometry, and lon, lat of that part; 0 for no area."""
    parts = np.array([part for part in shapely.get_parts(ground) if part.area > 0], dtype=object)
    if not len(parts):
        return 0.0, 0.0, 0.0
    width = width_m(shapely.multipolygons(parts))
    is_wide = ~shapely.is_empty(shapely.buffer(flat(parts), -0.49 * width))
    return width, *_place(parts[int(np.argmax(is_wide))])


def _least_width(shape: Any) -> float:
    return 2 * float(shapely.area(shape)) / max(float(shapely.length(shape)), 1e-300)


def _is_narrower(shape: Any, width: float) -> bool:
    return bool(shapely.is_empty(shapely.buffer(shape, -width / 2)))


def _place(polygon: Any) -> tuple[float, float]:
    inside = shapely.point_on_surface(polygon)
    return float(inside.x), float(inside.y)


def metres(length: float) -> str:
    """Format a length in metres for a message: in millimetres when it is small."""
    return f"{length:.1f} m" if length >= 0.1 else f"{length * 1000:.1f} mm"
