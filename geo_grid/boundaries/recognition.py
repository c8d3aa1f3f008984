"""Recognition of edits made in another program: which cells of a file were split, merged, moved, renamed or transferred."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import shapely

from geo_grid.boundaries.division import Cell, Division, Refused, same_corners
from geo_grid.layers.geojson import as_geojson

_SAME = 0.5
"""Ratio of intersection to union of two shapes above which they are the same cell: at most one pair can exceed it."""
_OVER_EACH_OTHER = 1.5
_MEETINGS_EACH, _AT_ONCE = 50, 64
_TOUCHES = 1e-6
"""Share of a cell's area below which an intersection is only rounding along a border."""


@dataclass(frozen=True)
class Drawn:
    """A cell of a file; None: the file has no value.

    Attributes
    ----------
    shape
        Polygon or MultiPolygon on the lattice.
    """

    grid_code: str | None
    shape: Any
    name: str | None = None
    parent_code: str | None = None
    household_count: int | None = None
    cell_kind: str | None = None


type Step = tuple[str, dict[str, Any]]
"""Operation and arguments, as drafts store them."""


def recognise(division: Division, drawn: Sequence[Drawn], match: Literal["code", "overlap"] = "code") -> list[Step]:
    """Compare the cells of a file with a division, and return the differences as steps of a draft.

    Only leaf cells are compared; their ancestors follow. Cells that the file does not cover stay unchanged. Of several
    shapes with the same code, as splitting in QGIS makes them, the one that covers most of the old cell keeps the code. A
    shape without a known code is the old cell that it mostly coincides with.

    Parameters
    ----------
    match
        `overlap`: ignore the codes of the file, and identify cells by location only.

    Raises
    ------
    Refused
        The file has no leaf cells, or its shapes overlap each other.
    """
    leaves = {code: cell for code, cell in division.cells.items() if not division.children(code)}
    given = [
        one for one in drawn if one.grid_code not in division.cells or one.grid_code in leaves or match == "overlap"
    ]
    if not given:
        message = "the file holds no cells that are not divided further"
        raise Refused(message)
    named = _identified(leaves, given, match)
    changed = [
        one for one in named if one.grid_code is None or not same_corners(leaves[one.grid_code].shape, one.shape)
    ]
    steps = [_redrawn(*part) for part in _components(division, leaves, named, changed)]
    return steps + list(_described(leaves, named))


def _identified(leaves: dict[str, Cell], given: list[Drawn], match: str) -> list[Drawn]:
    """Return the shapes, each with the code of the cell that it is; None: a new cell."""
    codes = list(leaves)
    kept: dict[str, tuple[float, int]] = {}
    found: dict[int, str] = {}
    for at, leaf in _meetings([leaves[code].shape for code in codes], [one.shape for one in given]):
        code, old = codes[leaf], leaves[codes[leaf]].shape
        common = float(shapely.area(shapely.intersection(given[at].shape, old)))
        says = match == "code" and given[at].grid_code in leaves
        if says and given[at].grid_code == code and common > kept.get(code, (0.0, 0))[0]:
            kept[code] = common, at
        elif not says and common > _SAME * float(shapely.area(shapely.union(given[at].shape, old))):
            found[at] = code
    said = {at: code for code, (_, at) in kept.items()}
    taken = set(said.values())
    said |= {at: code for at, code in found.items() if code not in taken}
    return [_named(one, said.get(at), leaves) for at, one in enumerate(given)]


def _named(one: Drawn, code: str | None, leaves: dict[str, Cell]) -> Drawn:
    """Return a shape with its code. Households of a part that was cut from a cell are a copy, and so are dropped."""
    copied = code is None and one.grid_code in leaves and one.household_count == leaves[one.grid_code].household_count
    return replace(one, grid_code=code, household_count=None if copied else one.household_count)


def _meetings(leaves: list[Any], given: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield pairs of indices of a shape of the file and a leaf cell that intersect.

    Raises
    ------
    Refused
        The shapes of the file overlap each other, which would give too many pairs.
    """
    tree = shapely.STRtree(leaves)
    ground = shapely.box(*shapely.total_bounds(leaves))
    here = shapely.area(shapely.clip_by_rect(given, *ground.bounds)).sum()
    if here > _OVER_EACH_OTHER * ground.area:
        message = (
            f"the shapes of the file lie over each other: together they cover {here / ground.area:.1f} times the box around "
            "the city's cells"
        )
        raise Refused(message)
    left = _MEETINGS_EACH * (len(leaves) + len(given))
    for start in range(0, len(given), _AT_ONCE):
        found = tree.query(given[start : start + _AT_ONCE], predicate="intersects").T
        left -= len(found)
        if left < 0:
            message = (
                f"the shapes of the file meet more than {_MEETINGS_EACH} cells each: is it a division of the city?"
            )
            raise Refused(message)
        for at, leaf in found.tolist():
            yield start + at, leaf


def _components(
    division: Division, leaves: dict[str, Cell], named: list[Drawn], changed: list[Drawn]
) -> Iterator[tuple[list[Cell], list[Drawn]]]:
    """Yield the connected components of old and new cells that share ground."""
    kept = {one.grid_code for one in named} - {one.grid_code for one in changed}
    old = {one.grid_code: leaves[one.grid_code] for one in changed if one.grid_code is not None}
    reach: list[set[str]] = []
    for one in changed:
        mine = {one.grid_code} if one.grid_code is not None else set[str]()
        for other in division.near(one.shape):
            if other.grid_code not in leaves or other.grid_code in kept:
                continue
            common = shapely.area(shapely.intersection(one.shape, other.shape))
            is_named = other.grid_code in old
            if common > (_TOUCHES if is_named else _SAME) * shapely.area(other.shape):
                mine.add(other.grid_code)
        reach.append(mine)
    groups: list[tuple[set[str], list[Drawn]]] = []
    for mine, one in zip(reach, changed, strict=True):
        joined = [group for group in groups if group[0] & mine]
        groups = [group for group in groups if not group[0] & mine]
        groups.append((
            mine.union(*(group[0] for group in joined)), [*(each for group in joined for each in group[1]), one]
        ))  # fmt: skip
    for mine, shapes in groups:
        if mine:
            yield [leaves[code] for code in sorted(mine)], shapes
        else:
            place = shapely.point_on_surface(shapes[0].shape)
            message = (
                f"a shape at {place.x:.6f}, {place.y:.6f} lies on no cell that the file changes: it is outside of all, or"
                " lies over one that the file has a second time, unchanged"
            )
            raise Refused(message)


def _redrawn(old: list[Cell], new: list[Drawn]) -> Step:
    codes = {one.grid_code for one in new if one.grid_code is not None}
    fresh, retired = len(new) - len(codes), len(old) - len(codes)
    if fresh and not retired:
        kind = "carve" if any(one.cell_kind == "dedicated" for one in new if one.grid_code is None) else "split"
    elif retired and not fresh:
        kind = "merge"
    elif not fresh and not retired:
        kind = "move_border"
    else:
        kind = "redraw"
    cells = [
        {key: value for key, value in (
            ("grid_code", one.grid_code), ("name", one.name), ("parent_code", one.parent_code),
            ("household_count", one.household_count), ("cell_kind", one.cell_kind),
        ) if value is not None and (one.grid_code is None or key == "grid_code")}
        | {"geometry": as_geojson(one.shape, digits=None)}
        for one in new
    ]  # fmt: skip
    return "redraw", {"codes": [cell.grid_code for cell in old], "kind": kind, "cells": cells}


def _described(leaves: dict[str, Cell], named: list[Drawn]) -> Iterator[Step]:
    for one in named:
        if one.grid_code is None:
            continue
        cell = leaves[one.grid_code]
        told = {
            name: value
            for name in ("name", "household_count", "cell_kind")
            if (value := getattr(one, name)) is not None and value != getattr(cell, name)
        }
        if told:
            yield "describe", {"codes": [one.grid_code], **told}
        if one.parent_code is not None and one.parent_code != cell.parent_code:
            yield "transfer", {"codes": [one.grid_code], "parent_code": one.parent_code}
