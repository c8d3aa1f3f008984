"""Publishing an edition: new grid cells or patrol zones come into force in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geo_grid.boundaries.check import coverage_problems, largest_shift_m, problems_of, tiling_problems
from geo_grid.boundaries.division import multi, same_corners
from geo_grid.boundaries.drawn import draw_cells
from geo_grid.boundaries.healing import Moved, gained_corners, heal, with_corners
from geo_grid.db import Connection, copy_rows, ewkb, load_queries
from geo_grid.errors import Conflict, InvalidRows
from geo_grid.locate.coverage import NARROW_GAP_M, Fault, metres

if TYPE_CHECKING:
    from pandas import DataFrame

QUERIES = load_queries("geo_grid.boundaries", "publish.sql")

_CELL_COLUMNS = [
    "grid_code",
    "code_scheme",
    "grid_level",
    "parent_code",
    "name",
    "cell_kind",
    "household_count",
    "households_estimated",
]
_ZONE_COLUMNS = ["zone_code", "name", "zone_kind", "zone_type", "responsible_unit"]


@dataclass
class Published:
    """Summary of a published edition.

    Attributes
    ----------
    edition_id
        Number of the edition.
    rows
        Number of cells or zones that it opened, without re-cut parents.
    recut
        Codes of parents re-cut to the union of their children, with the largest shift in metres.
    healed
        Cells or zones whose border was changed to fit their neighbours'.
    """

    edition_id: int
    rows: int
    recut: list[tuple[str, float]] = field(default_factory=list)
    healed: list[Moved] = field(default_factory=list)


def _ignore(count: int) -> None:
    pass


def open_edition(
    connection: Connection, note: str, valid_from: datetime | None = None, is_demo: bool = False
) -> tuple[int, datetime]:
    """Insert an edition in the caller's transaction; return its number and the moment from which it is in force.

    Raises
    ------
    Conflict
        `valid_from` is not later than the newest edition's.
    """
    connection.execute(QUERIES["lock"])
    newest = connection.execute(QUERIES["newest_edition"]).fetchone()
    clock = connection.execute(QUERIES["clock"]).fetchone() or {}
    begins = valid_from or clock["now"]
    if newest is not None and begins <= newest["valid_from"]:
        message = f"edition {newest['edition_id']} already begins at {newest['valid_from'].isoformat()}; a new one must begin later"
        raise Conflict(message)
    opened = connection.execute(
        QUERIES["open_edition"], {"valid_from": begins, "note": note, "is_demo": is_demo}
    ).fetchone()
    if opened is None:
        message = "insert returned no row"
        raise AssertionError(message)
    return opened["edition_id"], begins


def publish_cells(
    connection: Connection,
    cells: "DataFrame",
    note: str,
    valid_from: datetime | None = None,
    fit_parents_m: float | None = None,
    is_demo: bool = False,
    progress: Callable[[int], None] = _ignore,
    heal_m: float = 0.0,
) -> Published:
    """Publish new grid cells in an edition of their own.

    Parameters
    ----------
    connection
        The caller's transaction; the edition is in force when it commits.
    cells
        grid_code, grid_level, name, geometry (valid polygons on the lattice) and, where known,
        code_scheme, parent_code, cell_kind, household_count, households_estimated. A missing parent is found by location.
    fit_parents_m
        Parents that differ from the union of their children by no more than this many metres are
        re-cut to that union, upwards through all levels.
    heal_m
        Overlaps and gaps between cells that are at most this many metres wide are closed; see `heal`.

    Raises
    ------
    InvalidRows
        Cells overlap, have no parent, or do not tile it; row numbers count from 1 in `cells`.
    Conflict
        The city has no grid levels yet.
    """
    from pandas import Series  # imported here, like DataFrame below: a server that publishes drafts needs no pandas

    edition, begins = open_edition(connection, note, valid_from, is_demo)
    cells = cells.reset_index(drop=True)
    for column in _CELL_COLUMNS:
        given = cells[column] if column in cells else Series(None, cells.index)
        cells[column] = given.astype(object).where(given.notna(), None)
    cells["cell_kind"] = cells["cell_kind"].fillna("basic")
    cells["households_estimated"] = [given is True for given in cells["households_estimated"]]
    schemes = {row["grid_level"]: row["code_scheme"] for row in connection.execute(QUERIES["levels"]).fetchall()}
    if not schemes:
        message = (
            "the city has no grid levels yet: say first which there are, with `geo-grid levels FILE.toml`"
            " (or `geo-grid up --empty --levels FILE.toml`); docs/chicago-levels.toml is an example"
        )
        raise Conflict(message)
    levels = sorted({int(level) for level in cells["grid_level"]})
    _refuse(cells, {i: f"there is no grid level {level}; the levels are {sorted(schemes)}"
                    for i, level in cells["grid_level"].items() if level not in schemes})  # fmt: skip
    _refuse(cells, {i: f"a cell of the first level has no parent, and this has {parent}"
                    for i, level, parent in zip(cells.index, cells["grid_level"], cells["parent_code"], strict=True)
                    if level == 1 and parent is not None})  # fmt: skip
    cells["code_scheme"] = cells["code_scheme"].fillna(cells["grid_level"].map(schemes))
    _refuse_codes(connection, cells)
    published = Published(edition, len(cells))
    for level in levels:
        rows = cells.index[cells["grid_level"] == level]
        published.healed += _heal_level(connection, cells, rows, level, heal_m, edition, begins)
        if level > 1:
            above = _in_force(connection, level - 1)
            _find_parents(cells, rows, above)
            published.recut += _fit_parents(connection, cells.loc[rows], above, level, edition, begins, fit_parents_m)
        part = cells.loc[rows]
        geometry = ewkb([shapely.multipolygons(shapely.get_parts(g)) for g in part["geometry"]])
        copy_rows(
            connection,
            "grid_cells",
            [*_CELL_COLUMNS, "geom", "valid_from", "edition_id", "is_demo"],
            (
                (*row, geom, begins, edition, is_demo)
                for row, geom in zip(part[_CELL_COLUMNS].itertuples(index=False, name=None), geometry, strict=True)
            ),
            progress,
        )
    connection.execute(QUERIES["analyze"])
    draw_cells(connection, edition, begins)
    return published


def publish_zones(
    connection: Connection,
    zones: "DataFrame",
    note: str,
    valid_from: datetime | None = None,
    is_demo: bool = False,
    edition: tuple[int, datetime] | None = None,
    heal_m: float = 0.0,
) -> Published:
    """Publish new patrol zones, in an edition of their own or in `edition`, which this transaction opened.

    Parameters
    ----------
    zones
        zone_code, name, zone_kind, zone_type, responsible_unit, geometry (on the lattice). Areas
        form a coverage; segments may lie anywhere.
    heal_m
        See `publish_cells`.

    Raises
    ------
    InvalidRows
        Areas overlap or do not match; row numbers count from 1 in `zones`.
    """
    number, begins = edition or open_edition(connection, note, valid_from, is_demo)
    zones = zones.reset_index(drop=True)
    types = {"area": "Polygon", "segment": "LineString"}
    _refuse(zones, {i: f"an {kind} is a {types[kind]}, and this a {shape.geom_type}"
                    for i, kind, shape in zip(zones.index, zones["zone_kind"], zones["geometry"], strict=True)
                    if not shape.geom_type.endswith(types[kind])})  # fmt: skip
    areas = zones[zones["zone_kind"] == "area"]
    shapes, moved, faults = heal(areas["zone_code"].tolist(), areas["geometry"].to_numpy(), heal_m)
    problems = problems_of(faults)
    _refuse(zones, {i: problems[code] + _way_out(faults, heal_m)
                    for i, code in areas["zone_code"].items() if code in problems})  # fmt: skip
    zones.loc[areas.index, "geometry"] = shapes
    make = {"area": shapely.multipolygons, "segment": shapely.multilinestrings}
    geometry = ewkb([make[kind](list(shapely.get_parts(g)))
                     for kind, g in zip(zones["zone_kind"], zones["geometry"], strict=True)])  # fmt: skip
    copy_rows(
        connection,
        "patrol_zones",
        [*_ZONE_COLUMNS, "geom", "valid_from", "edition_id", "is_demo"],
        (
            (*row, geom, begins, number, is_demo)
            for row, geom in zip(zones[_ZONE_COLUMNS].itertuples(index=False, name=None), geometry, strict=True)
        ),
    )
    connection.execute(QUERIES["analyze"])
    return Published(number, len(zones), healed=moved)


def _refuse(frame: "DataFrame", problems: dict[Any, str]) -> None:
    if problems:
        rows = [(int(index) + 1, reason) for index, reason in sorted(problems.items())]
        message = f"{len(rows)} of {len(frame)} boundaries cannot come into force"
        raise InvalidRows(message, rows)


def _refuse_codes(connection: Connection, cells: "DataFrame") -> None:
    given = {"codes": cells["grid_code"].tolist(), "schemes": cells["code_scheme"].tolist()}
    wrong = connection.execute(QUERIES["misfit_codes"], given).fetchall()
    _refuse(cells, {row["number"] - 1: f"grid_code {row['code']!r} does not follow {row['code_scheme']}: {row['rule']}"
                    for row in wrong})  # fmt: skip


def _in_force(connection: Connection, level: int) -> "DataFrame":
    from pandas import DataFrame

    rows = connection.execute(QUERIES["cells_in_force"], {"level": level}).fetchall()
    frame = DataFrame(rows, columns=["grid_code", "grid_level", "parent_code", "geom"])
    frame["geometry"] = shapely.from_wkb([bytes(wkb) for wkb in frame.pop("geom")])
    return frame


def _heal_level(
    connection: Connection, cells: "DataFrame", rows: Any, level: int, heal_m: float, edition: int, begins: datetime
) -> list[Moved]:
    """Heal the new cells and those in force at a level to one coverage; cells in force may only gain vertices."""
    present = _in_force(connection, level)
    codes = [*present["grid_code"], *cells.loc[rows, "grid_code"]]
    polygons = np.array([*present["geometry"], *cells.loc[rows, "geometry"]], dtype=object)
    shapes, moved, faults = heal(codes, polygons, heal_m, fixed=len(present))
    problems = problems_of(faults)
    _refuse(cells, {i: problems[code] + _way_out(faults, heal_m)
                    for i, code in cells.loc[rows, "grid_code"].items() if code in problems})  # fmt: skip
    in_force = set(present["grid_code"])
    stuck = [change for change in moved if change.code in in_force]
    before = dict(zip(present["grid_code"], present["geometry"], strict=True))
    if stuck and not _give_corners(connection, before, shapes[: len(present)], edition, begins):
        tree = shapely.STRtree(polygons[len(present) :])
        misfits = {}
        for change in stuck:
            place = shapely.Point(change.lon, change.lat)
            misfits[rows[tree.nearest(place)]] = (
                f"it fits its neighbours only if {change.code}, which is in force, moves by {metres(change.metres)} "
                f"near lon {change.lon:.6f} lat {change.lat:.6f}: take that border over from it, with all its corners, or "
                "bring both into force together by a draft (docs/boundaries.md)"
            )
        _refuse(cells, misfits)
    cells.loc[rows, "geometry"] = shapes[len(present) :]
    return moved


def _give_corners(connection: Connection, before: dict[str, Any], after: Any, edition: int, begins: datetime) -> bool:
    """Insert vertices that cells in force of one level gained into cells in force of all levels. Returns False, without a
    change, when that would move borders.

    Cells of other levels share the border: parents, children, and the parents' neighbours.

    Parameters
    ----------
    before, after
        Cells of one level by code, before and after healing.
    """
    corners = gained_corners(list(before.values()), after)
    if corners is None:
        return False
    given: dict[str, Any] = {}
    for level in sorted(row["grid_level"] for row in connection.execute(QUERIES["levels"]).fetchall()):
        cells = _in_force(connection, level)
        shapes = cells["geometry"].to_numpy()
        old = dict(zip(cells["grid_code"], shapes, strict=True))
        new = dict(zip(cells["grid_code"], with_corners(shapes, corners), strict=True))
        changed = {code: new[code] for code in new if new[code] is not old[code] and not _same(old[code], new[code])}
        fits = [shapely.coverage_is_valid(list(one.values())) for one in (old, new)]
        if fits[0] > fits[1] or not shapely.is_valid(list(changed.values())).all():
            return False
        given |= changed
    if not all(_same(given.get(code, old), new) for (code, old), new in zip(before.items(), after, strict=True)):
        return False
    _reshape(connection, given, edition, begins)
    return True


def _same(one: Any, other: Any) -> bool:
    return same_corners(multi(one), multi(other))


def _reshape(connection: Connection, shapes: dict[str, Any], edition: int, begins: datetime) -> None:
    """Replace the shapes of cells in force, by code, from this edition on; other attributes stay."""
    for code, shape in shapes.items():
        new = {"code": code, "geom": ewkb(multi(shape)), "valid_from": begins, "edition": edition}
        if connection.execute(QUERIES["reshape_cell"], new).rowcount == 0:
            connection.execute(QUERIES["close_cells"], {"codes": [code], "valid_from": begins, "edition": edition})
            connection.execute(QUERIES["reopen_cell"], new)


def _way_out(faults: list[Fault], heal_m: float) -> str:
    """Return advice on the tolerance that would close the gaps and overlaps that are narrow enough for --heal."""
    widest = max(fault.width_m for fault in faults)
    if 0 < heal_m >= widest or widest >= NARROW_GAP_M:
        return ""
    return f" (--heal {np.ceil(widest * 100 + 0.5) / 100:.2f} closes what is at most so many metres wide)"


def _find_parents(cells: "DataFrame", rows: Any, above: "DataFrame") -> None:
    orphans = rows[cells.loc[rows, "parent_code"].isna().to_numpy()]
    inside = shapely.point_on_surface(cells.loc[orphans, "geometry"].to_numpy())
    child, parent = shapely.STRtree(above["geometry"].to_numpy()).query(inside, predicate="within")
    cells.loc[orphans[child], "parent_code"] = above["grid_code"].to_numpy()[parent]
    still = orphans[cells.loc[orphans, "parent_code"].isna().to_numpy()]
    _refuse(cells, dict.fromkeys(still, "no cell of the level above covers it: import that level first"))
    known = set(above["grid_code"])
    _refuse(cells, {i: f"its parent {code} is not in force at the level above"
                    for i, code in cells.loc[rows, "parent_code"].items() if code not in known})  # fmt: skip


def _fit_parents(
    connection: Connection,
    children: "DataFrame",
    above: "DataFrame",
    level: int,
    edition: int,
    begins: datetime,
    tolerance_m: float | None,
) -> list[tuple[str, float]]:
    """Check that children tile their parents; re-cut parents within the tolerance, upwards level by level."""
    siblings = _in_force(connection, level)
    siblings = siblings[~siblings["grid_code"].isin(children["grid_code"])]
    others = {str(parent): list(group) for parent, group in siblings.groupby("parent_code")["geometry"]}
    outline = dict(zip(above["grid_code"], above["geometry"], strict=True))
    recut: list[tuple[str, float]] = []
    problems: dict[Any, str] = {}
    shapes = children["geometry"].to_numpy()
    groups = {str(parent): rows for parent, rows in children.groupby("parent_code").indices.items()}
    families = {parent: [*shapes[rows], *others.get(parent, [])] for parent, rows in groups.items()}
    told = tiling_problems([outline[parent] for parent in families], list(families.values()))
    for (parent, family), problem in zip(families.items(), told, strict=True):
        if problem is None:
            continue
        old = outline[parent]
        united = shapely.coverage_union_all(family)
        shift = largest_shift_m(old, united)
        if tolerance_m is not None and shift <= tolerance_m:
            recut.append((parent, shift))
            outline[parent] = united
        else:
            problems[children.index[groups[parent][0]]] = (
                f"the children of {parent} do not tile it: they {problem}; the borders differ by up to {metres(shift)} "
                "(--fit-parents METRES re-cuts parents that are near enough)"
            )
    _refuse(children, problems)
    if recut:
        misfits = coverage_problems(list(outline), np.array(list(outline.values()), dtype=object))
        _refuse(
            children,
            {
                children.index[
                    groups[code][0]
                ]: f"re-cut to its children, {code} {why}: import the neighbours' children too"
                for code, why in misfits.items()
                if code in groups
            },
        )
        codes = [code for code, _ in recut]
        _reshape(connection, {code: outline[code] for code in codes}, edition, begins)
        if level > 2:
            changed = above[above["grid_code"].isin(codes)].assign(
                geometry=lambda frame: [outline[code] for code in frame["grid_code"]]
            )
            upper = _in_force(connection, level - 2)
            recut += _fit_parents(connection, changed, upper, level - 1, edition, begins, tolerance_m)
    return recut
