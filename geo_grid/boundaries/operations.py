"""Operations on a division: each returns the new states of cells, or raises Refused when the result would not be valid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import shapely

from geo_grid.boundaries.division import NEAR, Cell, Division, Edits, Refused, faces, same_ground
from geo_grid.boundaries.households import counted
from geo_grid.coordinates import snap_geometry

MOST_CORNERS = 5_000
"""Most vertices of a drawn line or area: people draw some hundred, and an operation takes milliseconds per vertex."""


def split(division: Division, code: str, line: Any) -> Edits:
    """Split a cell by a line. The largest part keeps the code; the others get new codes, numbered from the north-west.

    Of a cell in several parts only those that the line crosses are divided; the others stay with the part that keeps the
    code.

    Parameters
    ----------
    line
        LineString, lon, lat, that crosses the cell from border to border; the parts of it outside are ignored.

    Raises
    ------
    Refused
        The line crosses itself, or does not divide the cell.
    """
    cell, line = division.leaf(code), drawn_line(line)
    parts, whole = _divided(cell.shape, line)
    if not parts:
        message = (
            f"the line does not divide {code} {cell.name}: draw it from border to border, beginning and ending outside"
        )
        raise Refused(message)
    parts.sort(key=lambda part: (-shapely.centroid(part).y, shapely.centroid(part).x))
    largest = max(range(len(parts)), key=lambda index: shapely.area(parts[index]))
    codes = iter(division.next_codes(cell, len(parts) - 1))
    edits: Edits = {}
    for index, part in enumerate(parts):
        if index == largest:
            kept = shapely.coverage_union_all([part, *whole]) if whole else part
            edits[code] = replace(cell, shape=kept)
        else:
            fresh = next(codes)
            edits[fresh] = replace(
                cell,
                grid_code=fresh,
                name=named_after(cell, fresh),
                shape=part,
                household_count=None,
            )
    return completed(division, edits)


def _divided(shape: Any, line: Any) -> tuple[list[Any], list[Any]]:
    """Return the faces into which a line divides the parts of a shape that it crosses, and the parts that it does not."""
    inside = [face for face in faces([shape], line) if is_inside(face, shape)]
    divided, whole = [], []
    for part in shapely.get_parts(shape):
        own = [face for face in inside if is_inside(face, part)]
        if len(own) > 1:
            divided += own
        else:
            whole.append(part)
    return divided, whole


def merge(division: Division, codes: Sequence[str], keep: str | None = None) -> Edits:
    """Merge neighbours with the same parent. `keep`, by default the largest, keeps its code and gets all their children.

    Raises
    ------
    Refused
        The cells are not neighbours, not of one level, or have different parents.
    """
    cells = [division.cell(code) for code in dict.fromkeys(codes)]
    if len(cells) < 2:
        message = f"name at least two {division.noun}s to merge"
        raise Refused(message)
    if len({cell.parent_code for cell in cells}) > 1 or len({cell.grid_level for cell in cells}) > 1:
        message = (
            f"{division.noun}s of different parents are not merged: transfer one of them first"
            if len({cell.parent_code for cell in cells}) > 1
            else f"{division.noun}s of different kinds are not merged"
        )
        raise Refused(message)
    united = shapely.coverage_union_all([cell.shape for cell in cells])
    if shapely.get_num_geometries(united) > max(shapely.get_num_geometries(cell.shape) for cell in cells):
        message = f"{', '.join(cell.grid_code for cell in cells)} are not neighbours: they share no border"
        raise Refused(message)
    survivor = division.cell(keep) if keep else max(cells, key=lambda cell: (shapely.area(cell.shape), cell.grid_code))
    if survivor not in cells:
        message = f"{keep} is not among the cells to merge"
        raise Refused(message)
    edits: Edits = {cell.grid_code: None for cell in cells if cell is not survivor}
    edits[survivor.grid_code] = replace(survivor, shape=united)
    for cell in cells:
        for child in division.children(cell.grid_code) if cell is not survivor else ():
            edits[child] = replace(division.cells[child], parent_code=survivor.grid_code)
    return completed(division, edits)


def move_border(division: Division, one: str, other: str, line: Any) -> Edits:
    """Replace the border between two neighbours; their ancestors' borders follow.

    Parts of the cells that the line does not cross keep their owner.

    Parameters
    ----------
    line
        LineString across both cells together, beginning and ending outside of them.

    Raises
    ------
    Refused
        The cells are not neighbours, or the line does not divide their union into two parts.
    """
    cells = [division.leaf(one), division.leaf(other)]
    line = drawn_line(line)
    united = shapely.coverage_union_all([cell.shape for cell in cells])
    grounds = [
        ground
        for ground in shapely.get_parts(united)
        if all(any(is_inside(part, ground) for part in shapely.get_parts(cell.shape)) for cell in cells)
    ]
    if cells[0].grid_level != cells[1].grid_level or not grounds:
        message = f"{one} and {other} are not neighbours of one level: they share no border"
        raise Refused(message)
    crossed = [(ground, parts) for ground in grounds if len(parts := _divided(ground, line)[0]) > 1]
    parts = [part for _, found in crossed for part in found]
    if len(parts) != 2:
        message = (
            f"the line divides {one} and {other} into {len(parts) or 1} parts: draw the new border once across both, "
            "beginning and ending outside of them"
        )
        raise Refused(message)
    shares = [[shapely.area(shapely.intersection(part, cell.shape)) for part in parts] for cell in cells]
    mine = 0 if shares[0][0] + shares[1][1] >= shares[0][1] + shares[1][0] else 1
    sides, ground = (parts[mine], parts[1 - mine]), crossed[0][0]
    shapes = list(sides)
    if any(shapely.get_num_geometries(cell.shape) > 1 for cell in cells):  # parts that the line does not cross stay
        kept = [_divided(cell.shape, line)[1] if shapely.get_num_geometries(cell.shape) > 1 else [] for cell in cells]
        lands = [[part for part in shapely.get_parts(cell.shape) if not is_inside(part, ground)] for cell in cells]
        for face in faces([cell.shape for cell in cells], line):
            if is_inside(face, ground):
                owners = [index for index, own in enumerate(kept) if any(is_inside(face, part) for part in own)]
                lands[owners[0] if owners else int(is_inside(face, sides[1]))].append(face)
        if not all(lands):
            message = f"the line would leave {other if lands[0] else one} without any land"
            raise Refused(message)
        shapes = [shapely.coverage_union_all(land) for land in lands]
    edits: Edits = {
        one: replace(cells[0], shape=shapes[0]),
        other: replace(cells[1], shape=shapes[1]),
    }
    return completed(division, edits)


def carve(division: Division, codes: Sequence[str], area: Any, name: str, cell_kind: str = "dedicated") -> Edits:
    """Carve a new cell, such as a station or a campus, out of one or several neighbours with the same parent.

    Parameters
    ----------
    area
        Polygon, lon, lat; the part of it outside the cells is ignored.

    Raises
    ------
    Refused
        The area misses the cells, covers one of them whole, or would leave one in pieces.
    """
    cells = [division.leaf(code) for code in dict.fromkeys(codes)]
    if not cells or len({cell.parent_code for cell in cells}) > 1:
        message = f"a {division.noun} is carved out of {division.noun}s of one parent"
        raise Refused(message)
    drawn = drawn_area(area)
    pieces = faces([cell.shape for cell in cells], shapely.boundary(drawn))
    taken: list[Any] = []
    edits: Edits = {}
    for cell in cells:
        own = [face for face in pieces if is_inside(face, cell.shape)]
        inside = [face for face in own if is_inside(face, drawn)]
        rest = [face for face in own if not is_inside(face, drawn)]
        if not inside:
            message = f"the area does not reach {cell.grid_code} {cell.name}"
            raise Refused(message)
        left = shapely.coverage_union_all(rest) if rest else None
        if left is None or shapely.get_num_geometries(left) > shapely.get_num_geometries(cell.shape):
            message = f"the area would leave {cell.grid_code} {cell.name} " + (
                "in pieces" if rest else "without any land"
            )
            raise Refused(message)
        taken += inside
        edits[cell.grid_code] = replace(cell, shape=left)
    united = shapely.coverage_union_all(taken)
    if shapely.get_num_geometries(united) != 1:
        message = f"the new {division.noun} would be in pieces: draw it in one"
        raise Refused(message)
    code = division.next_codes(cells[0], 1)[0]
    edits[code] = replace(cells[0], grid_code=code, name=name, cell_kind=cell_kind, shape=united, household_count=None)
    return completed(division, edits)


def reshape(division: Division, code: str, area: Any) -> Edits:
    """Replace the shape of a cell. Ground that the area takes from neighbours with the same parent becomes the cell's;
    ground that the cell gives up goes to the neighbour with the longest common border.

    Parameters
    ----------
    area
        Polygon, lon, lat; the part of it in cells of another parent is ignored.

    Raises
    ------
    Refused
        The area misses the cell, takes a neighbour whole, or would leave one in pieces.
    """
    cell = division.leaf(code)
    drawn = drawn_area(area)
    siblings = {other for other in division.children(cell.parent_code) if other != code}
    around = shapely.box(*shapely.total_bounds([drawn, cell.shape]))
    near = [other for other in division.near(around) if other.grid_code in siblings]
    near = [division.leaf(other.grid_code) for other in near]
    pieces = faces([cell.shape, *(other.shape for other in near)], shapely.boundary(drawn))
    shares: dict[str, list[Any]] = {code: [], **{other.grid_code: [] for other in near}}
    left = []
    for face in pieces:
        owner = next((one.grid_code for one in (cell, *near) if is_inside(face, one.shape)), None)
        if owner is not None and is_inside(face, drawn):
            shares[code].append(face)
        elif owner == code:
            left.append(face)
        elif owner is not None:
            shares[owner].append(face)
    for face in left:
        border = {
            other.grid_code: shapely.length(shapely.intersection(shapely.boundary(face), shapely.boundary(other.shape)))
            for other in near
        }
        heir = max(border, key=lambda other: border[other], default=None)
        shares[heir if heir is not None and border[heir] > 0 else code].append(face)
    edits: Edits = {}
    for one in (cell, *near):
        shape = shapely.coverage_union_all(shares[one.grid_code]) if shares[one.grid_code] else None
        if shape is None or shapely.get_num_geometries(shape) > shapely.get_num_geometries(one.shape):
            message = f"{one.grid_code} {one.name} would be " + ("without any land" if shape is None else "in pieces")
            raise Refused(message)
        if not shapely.equals(shape, one.shape):
            edits[one.grid_code] = replace(one, shape=shape)
    if not edits:
        message = f"the area changes nothing of {code} {cell.name}"
        raise Refused(message)
    return completed(division, edits)


def transfer(division: Division, code: str, parent_code: str) -> Edits:
    """Move a cell with all its descendants to another parent; the borders of both parents and of their ancestors follow.

    Raises
    ------
    Refused
        The parent is of the wrong level, does not border on the cell, or is its parent already.
    """
    cell, parent = division.cell(code), division.cell(parent_code)
    if cell.parent_code == parent_code or parent.grid_level != cell.grid_level - 1:
        message = f"{parent_code} is not another parent of the level above {code}"
        raise Refused(message)
    if division.children(cell.parent_code) == [code]:
        message = f"{code} is the only cell of {cell.parent_code}: merge {cell.parent_code} instead"
        raise Refused(message)
    if shapely.length(shapely.intersection(cell.shape, parent.shape)) == 0:
        message = f"{code} does not border on {parent_code}: it would be in pieces"
        raise Refused(message)
    return completed(division, {code: replace(cell, parent_code=parent_code)})


def regroup(division: Division, groups: Sequence[Mapping[str, Any]]) -> Edits:
    """Redistribute the children of some neighbours among them; their borders and those of their ancestors follow.

    Parameters
    ----------
    groups
        Each has `codes` of children, and the `parent_code` that gets them; without one a new parent is made. A parent
        without any children left is retired.

    Raises
    ------
    Refused
        A cell is left out or named twice, parents have different parents, or a group would be in pieces.
    """
    members = [(group.get("parent_code"), list(group["codes"])) for group in groups]
    units = [division.cell(code) for _, codes in members for code in codes]
    named = [unit.grid_code for unit in units]
    old = sorted({unit.parent_code for unit in units if unit.parent_code is not None})
    missing = sorted({child for parent in old for child in division.children(parent)} - set(named))
    if not units or len(set(named)) < len(named) or missing or any(not codes for _, codes in members):
        message = (
            f"every cell belongs to one group: {missing[0]} is left out"
            if missing
            else "a cell is named twice, or a group is empty"
        )
        raise Refused(message)
    strangers = [parent for parent, _ in members if parent is not None and parent not in old]
    if strangers or len({division.cells[parent].parent_code for parent in old}) > 1:
        message = "cells are regrouped among neighbours of one parent" + (
            f"; {strangers[0]} is none of them" if strangers else ""
        )
        raise Refused(message)
    like = division.cells[old[0]]
    fresh = iter(division.next_codes(like, sum(parent is None for parent, _ in members)))
    edits: Edits = {parent: None for parent in old if parent not in {given for given, _ in members}}
    for given, codes in members:
        shape = shapely.coverage_union_all([division.cells[code].shape for code in codes])
        parts = shapely.get_num_geometries(shape)
        if parts > max(shapely.get_num_geometries(division.cells[code].shape) for code in codes):
            message = f"the group of {codes[0]} would be in {parts} pieces"
            raise Refused(message)
        parent = given or next(fresh)
        counts = [division.cells[code].household_count for code in codes]
        said: dict[str, Any] = {"household_count": None, "households_estimated": False}
        if None not in counts:
            said["household_count"] = sum(count for count in counts if count is not None)
            said["households_estimated"] = any(division.cells[code].households_estimated for code in codes)
        same = division.cells[parent] if given else replace(like, grid_code=parent, name=named_after(like, parent))
        if given is None or {*codes} != {*division.children(parent)}:
            edits[parent] = replace(same, shape=shape, **said)
        for code in codes:
            if division.cells[code].parent_code != parent:
                edits[code] = replace(division.cells[code], parent_code=parent)
    if not edits:
        message = "nothing would change"
        raise Refused(message)
    return division.refit(edits)


def named_after(cell: Cell, code: str) -> str:
    """Return a name for a cell made from `cell`: its name, and the number at the end of the new code."""
    return f"{cell.name} {code.rpartition('.')[2][-3:]}"


def describe(
    division: Division,
    code: str,
    name: str | None = None,
    household_count: int | None = None,
    cell_kind: str | None = None,
    responsible_unit: str | None = None,
) -> Edits:
    """Change attributes of a cell; those that are None stay."""
    said: dict[str, Any] = {
        "name": name, "household_count": household_count,
        "households_estimated": None if household_count is None else False, "cell_kind": cell_kind, "responsible_unit": responsible_unit,
    }  # fmt: skip
    return {code: replace(division.cell(code), **{key: value for key, value in said.items() if value is not None})}


def drawn_line(line: Any) -> Any:
    """Check a drawn line and snap it to the lattice. Raises Refused."""
    if shapely.get_num_coordinates(line) > MOST_CORNERS:
        message = f"the line has {shapely.get_num_coordinates(line):,} corners; draw it with at most {MOST_CORNERS:,}"
        raise Refused(message)
    if line.geom_type != "LineString" or shapely.get_num_coordinates(line) < 2 or not shapely.is_simple(line):
        message = "the line crosses itself: draw one that does not"
        raise Refused(message)
    return snap_geometry(line)


def drawn_area(area: Any) -> Any:
    """Check a drawn area and snap it to the lattice. Raises Refused."""
    if area.geom_type not in {"Polygon", "MultiPolygon"} or shapely.get_num_coordinates(area) > MOST_CORNERS:
        message = f"draw one area, with at most {MOST_CORNERS:,} corners"
        raise Refused(message)
    if not shapely.is_valid(area):
        message = "the drawn area crosses itself: draw one that does not"
        raise Refused(message)
    return snap_geometry(area)


def is_only_bent(old: Cell, new: Cell) -> bool:
    """Say whether a cell only got vertices where a line ends on its border, which moved by less than the tolerance."""
    return replace(old, shape=None) == replace(new, shape=None) and same_ground(old.shape, new.shape)


def change_of(before: Division, edits: Edits, code: str) -> Literal["new", "changed", "retired"] | None:
    """Return the kind of change of a cell; None: unchanged, or only vertices were added (`is_only_bent`)."""
    if code not in edits:
        return None
    if code not in before.cells:
        return "new"
    cell = edits[code]
    if cell is None:
        return "retired"
    return None if is_only_bent(before.cells[code], cell) else "changed"


def is_inside(face: Any, shape: Any) -> bool:
    """Say whether a face, which never crosses the shape's border, lies inside the shape."""
    return bool(shapely.covers(shape, shapely.point_on_surface(face)))


def completed(division: Division, edits: Edits) -> Edits:
    """Complete edits: insert new vertices on borders into all cells that share them, update ancestors, and apportion
    households.
    """
    edits = dict(edits)
    for cell in [cell for cell in edits.values() if cell is not None]:
        for corner in _new_corners(division, edits, cell):
            for other in division.near(shapely.Point(corner).buffer(NEAR)):
                now = edits.get(other.grid_code, other)
                bent = None if now is None else _bent(now.shape, corner)
                if now is not None and bent is not None:
                    edits[other.grid_code] = replace(now, shape=bent)
    return counted(division, division.refit(edits))


def _new_corners(division: Division, edits: Edits, cell: Cell) -> list[tuple[float, float]]:
    """Return the vertices of a new shape that none of the old shapes has that it was made from."""
    old = {
        corner
        for code, before in division.cells.items()
        if code in edits
        for corner in map(tuple, shapely.get_coordinates(before.shape).tolist())
    }
    return [corner for corner in map(tuple, shapely.get_coordinates(cell.shape).tolist()) if corner not in old]


def _bent(shape: Any, corner: tuple[float, float]) -> Any:
    """Insert a vertex into the edge that it lies on, within the tolerance; None: there is no such edge, or it has it."""

    def ring(line: Any) -> Any:
        xy = shapely.get_coordinates(line)
        if (xy == corner).all(axis=1).any():
            return None
        start, end = xy[:-1], xy[1:]
        along = end - start
        length = np.maximum((along**2).sum(axis=1), 1e-300)
        share = ((np.asarray(corner) - start) * along).sum(axis=1) / length
        foot = start + np.clip(share, 0, 1)[:, None] * along
        off = np.hypot(*(foot - corner).T)
        edge = int(np.argmin(off))
        if off[edge] > NEAR or not 0 < share[edge] < 1:
            return None
        return np.insert(xy, edge + 1, corner, axis=0)

    parts, has_changed = [], False
    for polygon in shapely.get_parts(shape):
        rings = [shapely.get_exterior_ring(polygon), *shapely.get_rings(polygon)[1:]]
        new = [ring(line) for line in rings]
        has_changed |= any(part is not None for part in new)
        shell, *holes = (
            shapely.get_coordinates(line) if part is None else part for line, part in zip(rings, new, strict=True)
        )
        parts.append(shapely.Polygon(shell, holes))
    if not has_changed:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
