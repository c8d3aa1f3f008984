"""A division: the grid cells of a city in memory, in force or as a draft has them, and the proof that they tile the city."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import shapely

from geo_grid.boundaries.check import problems_of, tiling_problem
from geo_grid.coordinates import LATTICE_STEP
from geo_grid.errors import UserError
from geo_grid.locate.coverage import Fault, coverage_faults


class Refused(UserError):
    """An operation would break the division of the city; the message says where and why."""


@dataclass(frozen=True)
class Cell:
    """A grid cell of a draft.

    Attributes
    ----------
    shape
        Polygon or MultiPolygon on the lattice, lon, lat.
    households_estimated
        The number was apportioned by area when a cell was divided, not counted.
    responsible_unit
        For patrol zones only.
    """

    grid_code: str
    grid_level: int
    parent_code: str | None
    name: str
    code_scheme: str
    cell_kind: str
    household_count: int | None
    shape: Any
    is_demo: bool = False
    responsible_unit: str = ""
    households_estimated: bool = False


NEAR = 2 * LATTICE_STEP
"""Tolerance in degrees (some 3.5 mm): a vertex that a drawn line adds to a border lies within it, and moves the border by at
most that."""
_MOST_CROSSINGS, _AT_ONCE = 500, 256

type Edits = dict[str, Cell | None]
"""New states of cells by code; None: the cell is retired."""


class Division:
    """Cells of all levels: each level is a coverage, and children tile their parents. Immutable: an edit makes a new one.

    Parameters
    ----------
    cells
        The cells in force.
    used_codes
        Every code that was ever used: none is used again.

    Attributes
    ----------
    noun
        Name of one element, in messages.
    """

    noun: ClassVar[str] = "grid cell"

    def __init__(self, cells: Iterable[Cell], used_codes: Iterable[str] = ()) -> None:
        self.cells = {cell.grid_code: cell for cell in cells}
        self.used_codes = frozenset(used_codes) | self.cells.keys()

    @cached_property
    def _families(self) -> dict[str | None, list[str]]:
        found: dict[str | None, list[str]] = {}
        for cell in self.cells.values():
            found.setdefault(cell.parent_code, []).append(cell.grid_code)
        return found

    @cached_property
    def _tree(self) -> tuple[list[str], shapely.STRtree]:
        codes = list(self.cells)
        return codes, shapely.STRtree([self.cells[code].shape for code in codes])

    def cell(self, code: str) -> Cell:
        """Return a cell. Raises Refused."""
        if code not in self.cells:
            message = f"there is no {self.noun} {code} in this draft"
            raise Refused(message)
        return self.cells[code]

    def leaf(self, code: str) -> Cell:
        """Return a leaf cell. Raises Refused when there is none with this code, or it has children."""
        found = self.cell(code)
        if self.children(code):
            message = f"{code} {found.name} is divided further: change its cells, and its border follows them"
            raise Refused(message)
        return found

    def children(self, code: str | None) -> list[str]:
        """Return the codes of a cell's children; None: of the outermost cells."""
        return sorted(self._families.get(code, []))

    def ancestors(self, code: str) -> Iterator[str]:
        """Yield the codes of a cell's ancestors, from its parent upwards."""
        parent = self.cell(code).parent_code
        while parent is not None:
            yield parent
            parent = self.cell(parent).parent_code

    def leaves(self, code: str) -> list[str]:
        """Return the codes of the leaf cells below a cell; the cell itself if it is a leaf."""
        children = self.children(code)
        return [leaf for child in children for leaf in self.leaves(child)] if children else [code]

    def households(self, code: str) -> int | None:
        """Return the households of a cell: its own number, else the sum of its children's; None: one of them has none."""
        cell, children = self.cell(code), self.children(code)
        if cell.household_count is not None or not children:
            return cell.household_count
        counts = [self.households(child) for child in children]
        return None if None in counts else sum(count for count in counts if count is not None)

    def near(self, shape: Any) -> list[Cell]:
        """Return the cells of all levels whose bounding box intersects that of a shape (R-tree query)."""
        codes, tree = self._tree
        return [self.cells[codes[index]] for index in tree.query(shape).tolist()]

    def edited(self, edits: Edits, used_codes: Iterable[str] = ()) -> Self:
        """Return the division with edits applied, and more codes marked as used. Nothing is checked; see `proved`."""
        cells = {**self.cells, **{code: cell for code, cell in edits.items() if cell is not None}}
        for code, cell in edits.items():
            if cell is None:
                del cells[code]
        return type(self)(cells.values(), self.used_codes.union(edits, used_codes))

    def without(self, codes: Collection[str]) -> Self:
        """Return the division without some cells, for a principal who may not see them."""
        return type(self)((cell for code, cell in self.cells.items() if code not in codes), self.used_codes)

    def refit(self, edits: Edits) -> Edits:
        """Complete edits: every ancestor of a changed cell gets the union of its children.

        Raises
        ------
        Refused
            An ancestor would be left without children.
        """
        complete = dict(edits)
        after = self.edited(complete)
        parents = {self.cells[code].parent_code for code in edits if code in self.cells}
        parents |= {cell.parent_code for cell in edits.values() if cell is not None}
        touched = sorted(
            (p for p in parents if p is not None and p in after.cells), key=lambda code: -after.cell(code).grid_level
        )
        while touched:
            code = touched.pop(0)
            parent, children = after.cell(code), after.children(code)
            if not children:
                message = f"{code} {parent.name} would be left without any cell: merge or retire it first"
                raise Refused(message)
            try:
                united = shapely.coverage_union_all([after.cells[child].shape for child in children])
            except shapely.errors.GEOSException:
                message = f"the cells of {code} {parent.name} would overlap each other"
                raise Refused(message) from None
            if shapely.equals(united, parent.shape) and same_corners(united, parent.shape):
                continue
            complete[code] = replace(parent, shape=united)
            after = self.edited(complete)
            if parent.parent_code is not None and parent.parent_code not in touched:
                touched.append(parent.parent_code)
        return complete

    def proved(self, edits: Edits) -> "Division":
        """Return the division with edits applied, if it is valid.

        Raises
        ------
        Refused
            A shape is invalid or in pieces, cells overlap or leave a gap, or children do not tile their parent.
        """
        after = self.edited(edits)
        changed = [cell for cell in edits.values() if cell is not None]
        for cell in changed:
            if not shapely.is_valid(cell.shape) or shapely.is_empty(cell.shape):
                message = (
                    f"{cell.grid_code} {cell.name} would not be a valid shape: {shapely.is_valid_reason(cell.shape)}"
                )
                raise Refused(message)
        for level in {cell.grid_level for cell in changed}:
            near = {
                other.grid_code: other
                for cell in changed
                if cell.grid_level == level
                for other in after.near(cell.shape)
                if other.grid_level == level
            }
            for code, why in problems_of(self._new_faults(near)).items():
                message = f"{code} {near[code].name} {why}"
                raise Refused(message)
        parents = {cell.parent_code for cell in changed} | {cell.grid_code for cell in changed}
        parents |= {self.cells[code].parent_code for code, cell in edits.items() if cell is None and code in self.cells}
        for code in sorted(p for p in parents if p is not None and p in after.cells):
            children = after.children(code)
            if children and (
                problem := tiling_problem(after.cells[code].shape, [after.cells[c].shape for c in children])
            ):
                message = f"the cells of {code} {after.cells[code].name} would not tile it: they {problem}"
                raise Refused(message)
        return after

    def _new_faults(self, cells: dict[str, Cell]) -> list[Fault]:
        """Return the faults of the coverage that the edited cells form, without gaps that existed before."""
        faults = coverage_faults(list(cells), [cell.shape for cell in cells.values()])
        if not any(fault.kind == "gap" for fault in faults):
            return faults
        before = [self.cells[code] for code in cells if code in self.cells]
        known = {
            (fault.lon, fault.lat)
            for fault in coverage_faults([cell.grid_code for cell in before], [cell.shape for cell in before])
        }
        return [fault for fault in faults if fault.kind != "gap" or (fault.lon, fault.lat) not in known]

    def next_codes(self, like: Cell, count: int) -> list[str]:
        """Return codes for new siblings of a cell: by its code scheme, after the highest number ever used there."""
        width = _SEQUENCE.get(like.code_scheme)
        if width is None:
            head, _, tail = like.grid_code.rpartition(".")
            base = head if head and is_number(tail) else like.grid_code
            fresh = (code for number in itertools.count(2) if (code := f"{base[:26]}.{number}") not in self.used_codes)
            return list(itertools.islice(fresh, count))
        stem = like.grid_code[:-width]
        tails = (code.removeprefix(stem) for code in self.used_codes if code.startswith(stem))
        given = [int(tail) for tail in tails if len(tail) == width and is_number(tail)]
        first = max(given, default=0) + 1
        if first + count > 10**width:
            message = f"{stem} has no numbers left for {count} more cells"
            raise Refused(message)
        return [f"{stem}{first + number:0{width}}" for number in range(count)]


def is_number(text: str) -> bool:
    """Say whether a text consists of the digits 0 to 9: `str.isdigit` also accepts others, some of which `int` refuses."""
    return text.isascii() and text.isdigit()


_SEQUENCE = {"division_code_6": 2, "division_code_9": 3, "division_code_12": 3, "unit_grid_15": 3, "unit_grid_20": 3}
"""Digits of the sequence number at the end of a code, by code scheme (migration 0001); local codes have none."""


def single(shape: Any) -> Any:
    """Return the only part of a shape with one part; else the shape itself."""
    return shapely.get_geometry(shape, 0) if shapely.get_num_geometries(shape) == 1 else shape


def multi(shape: Any) -> Any:
    """Return a shape as it is stored, as a MultiPolygon or MultiLineString."""
    parts = shapely.get_parts(shape)
    return shapely.multilinestrings(parts) if "Line" in shape.geom_type else shapely.multipolygons(parts)


def same_corners(one: Any, other: Any) -> bool:
    """Say whether two shapes have the same vertices, whichever vertex their rings begin with."""
    return bool(shapely.equals_identical(shapely.normalize(one), shapely.normalize(other)))


def same_ground(one: Any, other: Any) -> bool:
    """Say whether two areas are equal but for vertices on their borders, within the tolerance `NEAR`."""
    return one is other or bool(shapely.area(shapely.symmetric_difference(one, other)) <= NEAR * shapely.length(one))


def _refuse_thicket(borders: Sequence[Any], line: Any) -> None:
    if shapely.is_empty(line):
        return
    tree, own, found = shapely.STRtree(_edges(borders)), _edges([line]), 0
    for start in range(0, len(own), _AT_ONCE):
        found += tree.query(own[start : start + _AT_ONCE], predicate="crosses").shape[1]
        if found > _MOST_CROSSINGS:
            message = f"what is drawn crosses borders more than {_MOST_CROSSINGS} times: draw it simpler"
            raise Refused(message)


def _edges(lines: Sequence[Any]) -> Any:
    points, line = shapely.get_coordinates(shapely.get_parts(lines), return_index=True)
    ends = np.stack([points[:-1], points[1:]], axis=1)[line[1:] == line[:-1]]
    return shapely.linestrings(ends)


def faces(shapes: Iterable[Any], line: Any) -> list[Any]:
    """Divide the plane by the borders of shapes and a line, on the lattice: the polygons between them.

    Raises
    ------
    Refused
        The line crosses borders too often: the number of faces grows with the square of its vertices.
    """
    borders = [shapely.boundary(shape) for shape in shapes]
    _refuse_thicket(borders, line)
    work = shapely.union_all([*borders, line], grid_size=LATTICE_STEP)
    return list(shapely.get_parts(shapely.polygonize(shapely.get_parts(work))))
