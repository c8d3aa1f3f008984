"""Topology checks of a coverage: no gaps, no overlaps, children tile their parents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geo_grid.locate.coverage import Fault, coverage_faults, flat

_MOST_TOLD = 5


def coverage_problems(codes: Sequence[str], polygons: Any) -> dict[str, str]:
    """Find polygons that overlap others, whose shared borders do not match, or that leave narrow gaps between them.

    Parameters
    ----------
    codes, polygons
        n codes and n valid polygons, lon, lat in degrees.

    Returns
    -------
    Reason by code, with a place; empty when the polygons form a valid coverage.
    """
    return problems_of(coverage_faults(codes, polygons))


def problems_of(faults: Sequence[Fault]) -> dict[str, str]:
    """Return by code a sentence with the faults of a polygon; of very many faults only the first."""
    told: dict[str, list[str]] = {}
    for fault in faults:
        for code in fault.codes:
            told.setdefault(code, []).append(fault.told_of(code))
    return {
        code: "; ".join(texts[:_MOST_TOLD]) + (f"; and {len(texts) - _MOST_TOLD} more" * (len(texts) > _MOST_TOLD))
        for code, texts in told.items()
    }


def tiling_problem(parent: Any, children: Any) -> str | None:
    """Return where children, which form a coverage, do not tile their parent exactly; None: they do."""
    return tiling_problems([parent], [children])[0]


def tiling_problems(parents: Sequence[Any], families: Sequence[Any]) -> list[str | None]:
    """Return for each parent where its children, a coverage for each, do not tile it exactly; None: they do."""
    united = [shapely.coverage_union_all(children) for children in families]
    outlines = (
        shapely.normalize([shapely.multipolygons(shapely.get_parts(one)) for one in shapes])
        for shapes in (parents, united)
    )
    return [
        None if is_same else _misfit(parent, union)
        for parent, union, is_same in zip(parents, united, shapely.equals_identical(*outlines), strict=True)
    ]


def _misfit(parent: Any, united: Any) -> str | None:
    gap, excess = shapely.difference(parent, united), shapely.difference(united, parent)
    for what, area in (("leave a gap in it", gap), ("reach outside it", excess)):
        if not shapely.is_empty(area):
            place = shapely.point_on_surface(area)
            return f"{what} near lon {shapely.get_x(place):.6f} lat {shapely.get_y(place):.6f}"
    return None


def largest_shift_m(one: Any, other: Any) -> float:
    """Return the largest distance between the borders of two polygons in metres (Hausdorff distance)."""
    return float(shapely.hausdorff_distance(*shapely.boundary(flat(np.array([one, other], dtype=object)))))
