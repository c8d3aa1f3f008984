"""A draft as a GeoPackage, for QGIS, and back: what was edited there comes in as steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from geo_grid.boundaries import as_step, edit_draft, read_division
from geo_grid.boundaries.apart import in_force_apart
from geo_grid.boundaries.division import Division, multi, single
from geo_grid.boundaries.reading import draft_changes, seen_codes, shown_codes
from geo_grid.boundaries.recognition import Drawn, recognise
from geo_grid.coordinates import SRID
from geo_grid.db import Connection, connect
from geo_grid.errors import InvalidRows, UserError
from geo_grid.exchange.geometry import read_geometry
from geo_grid.exchange.writing import write_by_gdal
from geo_grid.files.door import Asking, read_table
from geo_grid.files.limits import SENT
from geo_grid.layers import find_layer

_FIELDS = ("grid_code", "grid_level", "parent_code", "name", "cell_kind", "household_count", "households_estimated")


def export_draft(division: Division, path: Path, within: str | None = None, seen: set[str] | None = None) -> int:
    """Write the cells of a draft as a GeoPackage, in CGCS2000, and return how many.

    Parameters
    ----------
    within
        Only this cell and what is below it.
    seen
        Only these codes; all when None.

    Raises
    ------
    UserError
        The file has another ending.
    """
    import geopandas as gpd

    if path.suffix.lower() != ".gpkg":
        message = f"{path.name}: a draft is written as a GeoPackage: name it {path.stem}.gpkg"
        raise UserError(message)
    cells = [cell for cell in division.cells.values() if seen is None or cell.grid_code in seen]
    if within is not None:
        division.cell(within)
        cells = [cell for cell in cells if within in (cell.grid_code, *division.ancestors(cell.grid_code))]
    cells.sort(key=lambda cell: (cell.grid_level, cell.grid_code))
    columns: dict[str, Any] = {name: [getattr(cell, name) for cell in cells] for name in _FIELDS}
    shapes = [multi(cell.shape) for cell in cells]
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=SRID)
    frame["household_count"] = frame["household_count"].astype("Int64")
    write_by_gdal(frame, path, "GPKG", layer="grid_cells")
    return len(cells)


def export_draft_apart(conninfo: str, seeing_all: str, draft_id: int, path: Path, within: str | None) -> int:
    """Write what whoever `conninfo` is may see of the cells of a draft; see `export_draft`.

    All cells are in memory meanwhile: a server calls it in a process with limits.
    """
    in_force = in_force_apart(seeing_all)
    with connect(conninfo) as connection:
        before, edits = draft_changes(connection, draft_id, in_force)
        return export_draft(before.edited(edits), path, within, shown_codes(connection, before, edits))


def import_draft(
    connection: Connection,
    draft_id: int,
    path: Path,
    author: str,
    source_crs: str | None = None,
    match: Literal["code", "overlap"] = "code",
    in_force: Division | None = None,
    advance: Callable[[int], None] = lambda count: None,
    asking: Asking | None = None,
) -> list[tuple[str, list[str]]]:
    """Do what was edited in a file as steps of a draft, all or none; return operation and codes of each.

    Parameters
    ----------
    source_crs
        Of the file; what a GeoPackage or GeoJSON says of itself when not given.
    match
        See `recognise`.
    asking
        How the file is read, and what it is called; see `read_table`.

    Raises
    ------
    InvalidRows
        Rows have no geometry that a cell can have.
    Refused, Conflict, Forbidden
        As `edit_draft`; nothing of the file is done.
    """
    name = asking.said if asking is not None and asking.said else path.name
    table = read_table(path, asking=asking)
    crs = source_crs or table.stated_crs or ("EPSG:4490" if table.is_geojson else None)
    if crs is None:
        message = f"{name} does not say which coordinates it uses: name them with --source-crs"
        raise UserError(message)
    shapes, problems = read_geometry(table.geometry, crs, find_layer("grid_cells"), None)
    if problems:
        message = f"{len(problems)} of {len(shapes)} rows of {name} cannot be cells; nothing was changed"
        raise InvalidRows(message, [(index + 1, reason) for index, reason in sorted(problems.items())])
    rows = table.attributes.astype(object).where(table.attributes.notna(), None).to_dict("records")
    drawn = [_drawn(row, shape) for row, shape in zip(rows, shapes, strict=True)]
    in_force = in_force or read_division(connection)
    division = read_division(connection, draft_id, in_force)
    seen = seen_codes(connection)
    if seen is not None:  # others' cells as if they did not exist: they are neither recognised nor named
        division = division.without(in_force.cells.keys() - seen)
    done = []
    for operation, arguments in recognise(division, drawn, match):
        step = as_step(operation, arguments, f"from {name}")
        edit_draft(connection, draft_id, step, author, in_force=in_force)
        done.append((str(arguments.get("kind", operation)), list(arguments["codes"])))
        advance(1)
    return done


def import_sent_draft(
    conninfo: str,
    seeing_all: str,
    draft_id: int,
    path: Path,
    said: str,
    author: str,
    source_crs: str | None,
    match: Literal["code", "overlap"],
) -> None:
    """Do what was edited in a file that was sent over the network, on behalf of whoever `conninfo` is; see `import_draft`.

    Shapes that a stranger chose may take any time and memory to compare: a server calls it in a process with limits.
    """
    in_force = in_force_apart(seeing_all)
    with connect(conninfo) as connection:
        import_draft(connection, draft_id, path, author, source_crs, match, in_force, asking=Asking(SENT, said))


def _drawn(row: dict[str, Any], shape: Any) -> Drawn:
    given = {str(name).lower(): value for name, value in row.items() if value not in (None, "")}
    kind = str(given["cell_kind"]) if given.get("cell_kind") in ("basic", "dedicated") else None
    households = given.get("household_count")
    try:
        count = None if households is None else int(households)
    except (TypeError, ValueError):
        message = f"household_count is {households!r}; it is a number"
        raise UserError(message) from None
    text = {name: str(given[name]) for name in ("grid_code", "name", "parent_code") if name in given}
    return Drawn(
        text.get("grid_code"), single(shape), text.get("name"), text.get("parent_code"), count, kind,
    )  # fmt: skip
