"""Replaces cells by shapes from another program, such as an edited file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely

from geo_grid.boundaries.division import Division, Edits, Refused, faces
from geo_grid.boundaries.operations import completed, named_after

_MOST_REDRAWN = 200_000
_HEALED = 1e-5
"""Degrees, about a metre: narrower gaps and overlaps between the shapes are healed."""


def redraw(division: Division, codes: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> Edits:
    """Replace some cells by shapes that tile the same ground; gaps and overlaps narrower than a metre are healed.

    Parameters
    ----------
    codes
        Codes of the cells to replace.
    cells
        Each has `geometry` (GeoJSON, on the lattice). Cells that continue have their `grid_code`; new ones may have
        `name`, `parent_code`, `household_count` and `cell_kind`.

    Raises
    ------
    Refused
        Shapes overlap, leave gaps, or reach into other cells, by a metre or more; or one is in pieces.
    """
    old = [division.leaf(code) for code in dict.fromkeys(codes)]
    shapes = [shapely.from_geojson(json.dumps(cell["geometry"])) for cell in cells]
    if sum(shapely.get_num_coordinates(shape) for shape in shapes) > _MOST_REDRAWN:
        message = f"these shapes have more than {_MOST_REDRAWN:,} corners: redraw fewer at once"
        raise Refused(message)
    ground = shapely.coverage_union_all([cell.shape for cell in old])
    shares = _shared_out(ground, shapes)
    fresh = iter(division.next_codes(old[0], sum(cell.get("grid_code") is None for cell in cells)))
    edits: Edits = {cell.grid_code: None for cell in old}
    for cell, faces_of in zip(cells, shares, strict=True):
        shape = shapely.coverage_union_all(faces_of) if faces_of else None
        said = cell.get("grid_code") or cell.get("name") or "a new shape"
        if shape is None or shapely.get_num_geometries(shape) != 1:
            message = f"{said} would be " + ("without any land" if shape is None else "in pieces")
            raise Refused(message)
        if cell.get("grid_code") is not None:
            edits[cell["grid_code"]] = replace(division.cell(cell["grid_code"]), shape=shape)
            continue
        like = max(old, key=lambda one: float(shapely.area(shapely.intersection(one.shape, shape))))
        code = next(fresh)
        edits[code] = replace(
            like, grid_code=code, shape=shape, name=cell.get("name") or named_after(like, code),
            parent_code=cell.get("parent_code") or like.parent_code,
            household_count=cell.get("household_count"), households_estimated=False, cell_kind=cell.get("cell_kind") or like.cell_kind,
        )  # fmt: skip
    return completed(division, edits)


def _shared_out(ground: Any, shapes: list[Any]) -> list[list[Any]]:
    """Cut the ground along the borders of shapes, and assign every face to one of them."""
    shares: list[list[Any]] = [[] for _ in shapes]
    tree = shapely.STRtree(shapes)
    odd = []
    for face in faces([ground, *shapes], shapely.boundary(ground)):
        inside = shapely.point_on_surface(face)
        owners = tree.query(inside, predicate="intersects").tolist()
        if not shapely.covers(ground, inside):
            if owners and not _is_thin(face):
                message = f"a shape reaches into other cells at {inside.x:.6f}, {inside.y:.6f}: redraw those too"
                raise Refused(message)
        elif len(owners) == 1:
            shares[owners[0]].append(face)
        elif _is_thin(face):
            odd.append((face, owners or range(len(shapes))))
        else:
            message = (
                "shapes overlap" if owners else "ground is left to nobody"
            ) + f" at {inside.x:.6f}, {inside.y:.6f}"
            raise Refused(message)
    for face, owners in odd:
        border = {
            at: sum(float(shapely.length(shapely.intersection(face, one))) for one in shares[at] if one is not face)
            for at in owners
        }
        shares[max(border, key=lambda at: border[at])].append(face)
    return shares


def _is_thin(face: Any) -> bool:
    """Say whether the width of a face is within the tolerance, about a metre."""
    return bool(shapely.is_empty(shapely.buffer(face, -_HEALED / 2)))
