"""What is wrong, or looks wrong, with a division: each finding has a place, and says what to do."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import shapely

from geo_grid.boundaries.check import coverage_problems, tiling_problem
from geo_grid.boundaries.division import Cell, Division
from geo_grid.boundaries.norms import HOUSEHOLDS, all_outside
from geo_grid.coordinates import ELLIPSOID
from geo_grid.locate.coverage import METRES_PER_DEGREE
from geo_grid.wording import Worded

COMPOUNDS = 3
"""Most compounds that one worker serves (DOMAIN, section 1: 300-500 households or 1-3 compounds)."""
_SLIVER = 0.03
"""Roundness below which a cell is a sliver: 4 pi area / perimeter^2 (Polsby and Popper, 1991), 1 for a circle, 0.03 for a
strip 40 times as long as wide."""
_SMALLEST_M2 = 400.0
_MOST_REPAIRS = 200
"""Most findings for which repairs are computed: a person applies them one by one."""
_LARGE_SIBLINGS, _LARGE_TIMES = 3, 20.0
"""A cell with at least this many siblings is too large beyond this multiple of their median area. Our choice; no official
number exists."""


@dataclass(frozen=True)
class Finding:
    """A fault or peculiarity of a division.

    Attributes
    ----------
    lon, lat
        Its place, in degrees.
    repair
        Operation with arguments that would repair it, if there is an obvious one; done only on request.
    """

    kind: str
    severity: Literal["error", "warning"]
    grid_code: str
    lon: float
    lat: float
    text: Worded
    repair: dict[str, Any] | None = None


def examine(
    division: Division,
    led: Collection[str] = (),
    households: tuple[int, int] = HOUSEHOLDS,
    only: Collection[str] | None = None,
    workers: Mapping[str, Collection[str]] | None = None,
) -> list[Finding]:
    """Examine a division.

    Parameters
    ----------
    led
        Codes of cells with a grid lead, who also leads all cells below; empty: missing leads are not reported.
    households
        Least and most households of a basic cell; see `norms`.
    only
        Codes of the cells to examine, together with their neighbours; None: all.
    workers
        Codes of the cells that each worker answers for, by name; None: workers are not examined.
    """
    cells = list(division.cells.values()) if only is None else [division.cells[c] for c in only if c in division.cells]
    found = sorted(
        [
            *_topology(division, cells),
            *_shapes(cells),
            *_sizes(division, cells),
            *_facts(division, cells, frozenset(led), households),
            *_workers(division, {cell.grid_code for cell in cells}, workers or {}),
        ],
        key=lambda finding: (finding.severity, finding.kind, finding.grid_code),
    )
    return [replace(one, repair=_repair(division, one)) for one in found[:_MOST_REPAIRS]] + found[_MOST_REPAIRS:]


def _repair(division: Division, finding: Finding) -> dict[str, Any] | None:
    """Propose to merge what is too small with the neighbour of the same parent that shares the longest border."""
    cell = division.cells[finding.grid_code]
    too_few = finding.kind == "households" and (cell.household_count or 0) < HOUSEHOLDS[0]
    if division.children(cell.grid_code) or not (too_few or finding.kind in {"sliver", "too small"}):
        return None
    best, longest = None, 0.0
    for other in division.near(cell.shape):
        if other.parent_code != cell.parent_code or other is cell or division.children(other.grid_code):
            continue
        if too_few and (
            other.household_count is None or other.household_count + (cell.household_count or 0) > HOUSEHOLDS[1]
        ):
            continue
        shared = shapely.length(shapely.intersection(cell.shape, other.shape))
        if shared > longest:
            best, longest = other, shared
    if best is None:
        return None
    return {"operation": "merge", "codes": [best.grid_code, cell.grid_code], "keep": best.grid_code}


def _topology(division: Division, cells: list[Cell]) -> Iterator[Finding]:
    wrong: set[str] = set()
    for level in sorted({cell.grid_level for cell in cells}):
        here = [cell for cell in cells if cell.grid_level == level]
        if len(cells) < len(division.cells):  # with their neighbours, since faults concern shared borders
            near = {one.grid_code: one for cell in here for one in division.near(cell.shape) if one.grid_level == level}
            here = list(near.values())
        shapes = np.array([cell.shape for cell in here], dtype=object)
        for code, why in coverage_problems([cell.grid_code for cell in here], shapes).items():
            wrong.add(code)
            yield _finding("overlap or mismatch", "error", division.cells[code], why)
    for cell in cells:
        if cell.parent_code is not None and cell.parent_code not in division.cells:
            yield _finding("no parent", "error", cell, f"its parent {cell.parent_code} is not in force")
        codes = division.children(cell.grid_code)
        if not codes or wrong.intersection(codes):  # reported already
            continue
        problem = tiling_problem(cell.shape, [division.cells[code].shape for code in codes])
        if problem is not None:
            yield _finding("not tiled", "error", cell, f"its cells do not tile it: they {problem}")


def _shapes(cells: list[Cell]) -> Iterator[Finding]:
    shapes = np.array([cell.shape for cell in cells], dtype=object)
    parts = shapely.get_num_geometries(shapes)
    for cell, count, shape in zip(cells, parts.tolist(), shapes, strict=True):
        if count > 1:
            yield _finding("in pieces", "warning", cell, f"it lies in {count} pieces")
        lat = np.radians(shapely.get_y(shapely.centroid(shape)))
        flat = shapely.transform(shape, lambda xy, lat=lat: xy * [np.cos(lat), 1.0])
        roundness = 4 * np.pi * shapely.area(flat) / max(shapely.length(flat) ** 2, 1e-300)
        if count == 1 and roundness < _SLIVER:
            yield _finding(
                "sliver", "warning", cell, f"it is a strip (roundness {roundness:.3f}): merge it with a neighbour"
            )
        if shapely.area(flat) * METRES_PER_DEGREE**2 < _SMALLEST_M2:
            area = abs(ELLIPSOID.geometry_area_perimeter(shape)[0])
            yield _finding("too small", "warning", cell, f"it has {area:.0f} m2: merge it with a neighbour")


def _sizes(division: Division, cells: list[Cell]) -> Iterator[Finding]:
    for parent in {cell.parent_code for cell in cells if not division.children(cell.grid_code)}:
        leaves = [division.cells[code] for code in division.children(parent) if not division.children(code)]
        areas = shapely.area([cell.shape for cell in leaves])
        if len(leaves) <= _LARGE_SIBLINGS or parent is None:
            continue
        times = areas / np.median(areas)
        for cell, many in zip(leaves, times.tolist(), strict=True):
            if many > _LARGE_TIMES:
                yield _finding(
                    "too large", "warning", cell, f"it has {many:.0f} times the area of its neighbours: split it"
                )


def _facts(
    division: Division, cells: list[Cell], led: frozenset[str], households: tuple[int, int]
) -> Iterator[Finding]:
    least, most = households
    for cell, count, _ in all_outside(division, cells, households):
        yield _finding("households", "warning", cell, f"it has {count} households; {least} to {most} are usual")
    for cell in cells:
        if cell.parent_code and cell.code_scheme != "local" and not cell.grid_code.startswith(cell.parent_code):
            yield _finding("code", "warning", cell, f"its code does not begin with its parent's, {cell.parent_code}")
        if division.children(cell.grid_code):
            continue
        if led and led.isdisjoint([cell.grid_code, *division.ancestors(cell.grid_code)]):
            yield _finding("no lead", "warning", cell, "nobody leads it, nor a cell above it")


def _workers(division: Division, examined: set[str], workers: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    for person, codes in workers.items():
        served = sorted(code for code in codes if code in division.cells)
        if len(served) > COMPOUNDS and examined.intersection(served):
            text = f"{person} answers for {len(served)} cells; 1 to {COMPOUNDS} are usual: {', '.join(served[:8])}"
            yield _finding("compounds", "warning", division.cells[min(examined.intersection(served))], text)


def _finding(kind: str, severity: Literal["error", "warning"], cell: Cell, text: str) -> Finding:
    place: Any = shapely.point_on_surface(cell.shape)
    return Finding(kind, severity, cell.grid_code, round(place.x, 6), round(place.y, 6), f"{cell.name}: {text}")
