"""A file into a layer: all rows or none, unless bad rows are to be skipped; every bad row is named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import shapely
from psycopg import sql

from geo_grid.boundaries import HEAL_M, Moved, metres, publish_cells, publish_zones
from geo_grid.coordinates import LATTICE_STEP
from geo_grid.db import APPLICATION_ROLE, Connection, load_queries
from geo_grid.errors import Conflict, InvalidRows, UserError
from geo_grid.exchange.cameras import CameraImport, NothingMore
from geo_grid.exchange.datum import SeemsMislabelled, guess_datum
from geo_grid.exchange.geometry import Extent, read_geometry
from geo_grid.exchange.inserting import insert_frame, refused_rows
from geo_grid.exchange.rows import moments_of, read_row
from geo_grid.exchange.times import unmapped_times
from geo_grid.files.door import Asking, Table, read_table
from geo_grid.files.spelling import Spelling
from geo_grid.layers import Layer
from geo_grid.layers.cameras import local_id
from geo_grid.layers.meanings import meaning
from geo_grid.locate import assign
from geo_grid.locate.lookup import QUERIES as LOCATE_QUERIES
from geo_grid.moments import Times, check_form
from geo_grid.progress import Progress

if TYPE_CHECKING:
    from pandas import DataFrame

QUERIES = load_queries("geo_grid.exchange", "importing.sql")
_TWICE, _STORED = "stands in row", "is stored already"
_NOT_THEIRS = "is not yours to give: begin it with the code of one of your grid cells and a hyphen"


@dataclass(frozen=True)
class Mapping:
    """How a file's columns become a layer's fields.

    Attributes
    ----------
    columns
        Column by field, where their names differ.
    constants
        Value by field, the same for all rows.
    lon_column, lat_column
        Of a CSV file.
    datetime_format
        How times are written, as `datetime.strptime` has it; None: told from what can be read in one way only.
    spelling
        How a text file is written.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    lon_column: str | None = None
    lat_column: str | None = None
    datetime_format: str | None = None
    spelling: Spelling = field(default_factory=Spelling)


@dataclass
class Report:
    """What an import did.

    Attributes
    ----------
    rows, imported, unassigned
        Rows in the file, rows stored, and rows of those that no grid cell covers.
    duplicates
        Rows of those left out whose key stands in the file twice, or is stored already.
    columns, fields
        Columns of the file, and the one each field was read from.
    skipped
        Row number (1 = first data row) and reason of every row left out.
    notes
        What the sender should know: parents re-cut, a reference system overruled.
    healed
        Of every cell or zone whose border was changed to fit its neighbours': `code`, `metres` it moved at most, and
        where: `lon`, `lat`.
    datum_doubt
        Why the coordinates seem to be in another datum; empty: they do not.
    is_refused
        Of a dry run: the import itself, asked the same, would be refused.
    """

    layer: str
    rows: int
    imported: int = 0
    unassigned: int | None = None
    duplicates: int = 0
    columns: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    healed: list[dict[str, Any]] = field(default_factory=list)
    datum_doubt: str = ""
    is_refused: bool = False


def import_file(
    connection: Connection,
    layer: Layer,
    path: Path,
    progress: Progress,
    source_crs: str | None = None,
    mapping: Mapping | None = None,
    skip_invalid: bool = False,
    fit_parents_m: float | None = None,
    timezone: str = "Asia/Shanghai",
    dry_run: bool = False,
    asking: Asking | None = None,
    received_now: bool = False,
    heal_m: float = HEAL_M,
    crs_is_certain: bool = False,
) -> Report:
    """Import a file into a layer in the caller's transaction.

    Parameters
    ----------
    source_crs
        Required unless the file is GeoJSON; overrules what the file says of itself.
    skip_invalid
        Store the good rows and report the bad ones, instead of storing nothing.
    fit_parents_m
        See `boundaries.publish_cells`.
    timezone
        Of times that name none.
    dry_run
        Do everything, tell of it, and take it back; bad rows are reported as with `skip_invalid`.
    asking
        How the file is read, and what it is called; see `read_table`.
    received_now
        Rows whose time no column tells happen now, although columns of the file look like times.
    heal_m
        Of boundaries: overlaps and gaps that are nowhere wider than so many metres are closed, and parents that differ
        from their children by no more are re-cut; what moved how far is reported.
    crs_is_certain
        The coordinates are in the datum that is said, although they look as if they were in another.

    Raises
    ------
    SeemsMislabelled
        They look so, and are not said to be certain.
    UnreadableFile, UnknownCrs, UserError
        The file or the question is wrong as a whole.
    InvalidRows
        Rows are bad, and `skip_invalid` was not asked.
    """
    from pandas import DataFrame  # not at the top: a server that starts needs none of it

    mapping, asking = mapping or Mapping(), asking or Asking.of_operator()
    name = asking.said or path.name
    with progress(f"reading {name}"):
        table = read_table(path, mapping.lon_column, mapping.lat_column, asking, mapping.spelling)
    report = Report(layer.name, len(table.attributes), notes=list(table.notes))
    own = CameraImport(mapping.constants.get("platform_code"), name) if layer.name == "cameras" else NothingMore()
    source_crs = own.begin(connection, table, source_crs, skip_invalid or dry_run, report.notes)
    report.is_refused = table.is_miscounted and not skip_invalid
    _refuse_empty(report, table, name)
    crs = _choose_crs(name, table, source_crs, report)
    with progress("checking rows", report.rows) as shown:
        fields = _choose_columns(layer, name, table, mapping, report)
        _check_times(layer, name, table.attributes, fields, mapping, received_now, dry_run, report)
        extent = stored_extent(connection)
        geometry, problems = read_geometry(table.geometry, crs, layer, extent, report.notes, heal_m)
        problems |= table.unread
        rows = _read_rows(layer, table.attributes, fields, mapping, timezone, problems, shown)
        _give_local_ids(layer, rows, geometry, problems, report)
        joined = _join_parts(layer, rows, geometry, problems, report) if layer.is_boundary else set()
        stored = _check_keys(connection, layer, rows, problems, joined)
        aside = own.set_aside(connection, rows, geometry, stored, problems)
        _check_scope(connection, layer, geometry, problems)
    own.datum_note = report.datum_doubt = guess_datum(connection, layer, table, crs, _keys(layer, rows)) or ""
    if report.datum_doubt:
        _doubt_datum(report, own, crs_is_certain or own.is_crs_certain, dry_run)
    report.columns, report.fields = [str(column) for column in table.attributes], fields
    _tell_skipped(report, problems)
    if report.skipped and not (skip_invalid or dry_run):
        raise _refused(report, name)
    is_stored = False
    while not is_stored:
        good = sorted(set(range(report.rows)) - problems.keys() - joined - aside)
        if not good and not aside:
            raise _none_of(report, name)
        frame = DataFrame([rows[index] for index in good], dtype=object).assign(geometry=geometry[good])
        with progress(f"storing {layer.title_en.lower()}", len(good)) as shown:
            conclude = partial(own.conclude, connection, rows, geometry, good, notes=report.notes)
            store = partial(_store, connection, layer, frame, name, fit_parents_m, heal_m, report, shown, conclude)
            refused = _try_to_store(connection, layer, frame, name, store, good, report, dry_run)
        problems |= {good[index]: reason for index, reason in refused.items()}
        _tell_skipped(report, problems)
        is_stored = not refused
        if refused and not (skip_invalid or dry_run):
            raise _refused(report, name)
    report.imported = len(good) + len(joined)
    report.is_refused |= bool(report.skipped) and not skip_invalid
    return report


def _doubt_datum(report: Report, own: NothingMore, is_certain: bool, dry_run: bool) -> None:
    """Note that the datum seems to be another one, or refuse it."""
    message = report.datum_doubt if is_certain else f"not imported: {report.datum_doubt}; {own.settle_datum}"
    if not (is_certain or dry_run):
        raise SeemsMislabelled(message, report.datum_doubt)
    report.is_refused |= not is_certain
    report.notes.append(message)


def _refuse_empty(report: Report, table: Table, file_name: str) -> None:
    """Refuse a file without rows, or of which no row can be read."""
    if not report.rows:
        message = "; ".join([f"{file_name} has no rows", *table.notes])
        raise UserError(message)
    if len(table.unread) == report.rows:
        _tell_skipped(report, table.unread)
        raise _none_of(report, file_name)


def _none_of(report: Report, file_name: str) -> InvalidRows:
    return InvalidRows(f"none of the {report.rows} rows of {file_name} can be imported", report.skipped)


def _tell_skipped(report: Report, problems: dict[int, str]) -> None:
    report.duplicates = sum(_TWICE in reason or _STORED in reason for reason in problems.values())
    report.skipped = [(index + 1, reason) for index, reason in sorted(problems.items())]


def _refused(report: Report, file_name: str) -> InvalidRows:
    message = (
        f"{len(report.skipped)} of {report.rows} rows of {file_name} cannot be imported; nothing was changed "
        "(--skip-invalid imports the others)"
    )
    return InvalidRows(message, report.skipped)


def _try_to_store(
    connection: Connection,
    layer: Layer,
    frame: "DataFrame",
    file_name: str,
    store: Callable[[], None],
    good: list[int],
    report: Report,
    dry_run: bool,
) -> dict[int, str]:
    """Store rows and return nothing, or else store nothing and return why the database refuses which, by index.

    Raises
    ------
    InvalidRows
        Boundaries do not fit each other; rows are numbered as in the file, those left out before are among them.
    Conflict, UserError
        The database refuses them for no row's own fault.
    """
    try:
        with connection.transaction(force_rollback=dry_run):
            store()
            if dry_run:  # also what is checked at the commit, which will not come
                connection.execute("set constraints all immediate")
    except InvalidRows as refused:  # row numbers of the frame -> of the file
        rows_of_file = [(good[row - 1] + 1, reason) for row, reason in refused.rows]
        raise InvalidRows(str(refused), sorted([*report.skipped, *rows_of_file])) from None
    except (psycopg.IntegrityError, psycopg.DataError) as refused:
        named = {}
        if not layer.is_boundary:
            named = _taken_meanwhile(connection, layer, frame) or refused_rows(connection, layer, frame)
        if named:
            return named
        if isinstance(refused, psycopg.IntegrityError):
            message = f"{file_name} contradicts what is stored: {refused.diag.message_primary}"
            raise Conflict(message) from refused
        message = f"{file_name} holds what the database cannot: {str(refused).splitlines()[0]}"
        raise UserError(message) from refused
    return {}


def _taken_meanwhile(connection: Connection, layer: Layer, frame: "DataFrame") -> dict[int, str]:
    """Find the rows whose key somebody has stored since keys were checked, as when a file is confirmed twice at once."""
    if layer.key not in frame:
        return {}
    return _taken(connection, layer, {str(key): position for position, key in enumerate(frame[layer.key])})


def _choose_crs(file_name: str, table: Table, asked: str | None, report: Report) -> str:
    if asked is None:
        if table.is_geojson:
            return table.stated_crs or "EPSG:4490"
        says = f" (the file itself says {table.stated_crs})" if table.stated_crs else ""
        message = f"{file_name} does not say for certain which coordinates it uses{says}: name them with --source-crs"
        raise UserError(message)
    if table.stated_crs is not None and table.stated_crs.upper() != asked.upper():
        report.notes.append(f"the file says {table.stated_crs}; read as {asked}, as you asked")
    return asked


def _choose_columns(layer: Layer, file_name: str, table: Table, mapping: Mapping, report: Report) -> dict[str, str]:
    """Return column by field."""
    attributes = table.attributes
    known = {str(column).lower(): str(column) for column in attributes}
    for name in (*mapping.columns, *mapping.constants):
        if name not in layer.fields:
            message = f"{layer.name} has no field {name!r}; its fields are {', '.join(layer.fields)}"
            raise UserError(message)
    chosen = {name: known[name] for name in layer.fields if name in known and name not in mapping.constants}
    for name in layer.fields:
        in_chinese = meaning(layer, name)[0].lower()  # as docs/layers.md has it
        if in_chinese in known and name not in chosen and name not in mapping.constants:
            chosen[name] = known[in_chinese]
    for name, column in mapping.columns.items():
        if column.lower() not in known:
            message = f"{file_name} has no column {column!r}; its columns are {', '.join(known.values())}"
            raise UserError(message)
        chosen[name] = known[column.lower()]
    if table.cut_to is not None:
        _match_cut_names(layer, known, chosen, mapping, table.cut_to, report)
    needed = [name for name, info in layer.row.model_fields.items() if info.is_required()]
    given = {*chosen, *mapping.constants, *(n for n, other in layer.row.defaults.items() if other in chosen)}
    missing = [name for name in needed if name not in given]
    if missing:
        message = (
            f"{layer.name} needs {', '.join(missing)}: name the column with --column {missing[0]}=COLUMN or give one "
            f"value with --set {missing[0]}=VALUE; the file's columns are {', '.join(known.values())}"
        )
        raise UserError(message)
    return chosen


def _check_times(
    layer: Layer,
    file_name: str,
    attributes: "DataFrame",
    fields: dict[str, str],
    mapping: Mapping,
    received_now: bool,
    dry_run: bool,
    report: Report,
) -> None:
    """Refuse to let rows happen now while columns that look like times are not mapped. Raises UserError."""
    untold = [name for name in layer.times if name not in fields and name not in mapping.constants]
    if not untold or received_now:
        return
    found = unmapped_times(attributes, fields.values())
    if not found:
        if layer.moments and untold[0] == layer.moments[0]:
            report.notes.append(f"no column tells {untold[0]}: every row gets the time of the import")
        return
    message = (
        f"{file_name}: {', '.join(found[:5])} look{'s' if len(found) == 1 else ''} like times, and none is read as "
        f"{' or '.join(untold)}: name one with --column {untold[0]}=COLUMN, or say with --received-now that every row "
        "counts from now"
    )
    if not dry_run:
        raise UserError(message)
    report.is_refused = True
    report.notes.append(f"as it is, the import would be refused: {message}")


def _match_cut_names(
    layer: Layer, known: dict[str, str], chosen: dict[str, str], mapping: Mapping, letters: int, report: Report
) -> None:
    """Match names that a Shapefile cut with the one field that begins so; tell of those that might be several."""
    taken = set(chosen.values())
    for lower, column in known.items():
        if len(lower) != letters or column in taken:
            continue
        begun = [name for name in layer.fields if name.startswith(lower) and name not in mapping.constants]
        if len(begun) == 1 and begun[0] not in chosen:
            chosen[begun[0]] = column
            report.notes.append(f"column {column}, cut to {letters} letters, is read as {begun[0]}")
        else:
            report.notes.append(f"column {column}, perhaps cut to {letters} letters, is no field and was not read")


def _read_rows(
    layer: Layer,
    attributes: "DataFrame",
    fields: dict[str, str],
    mapping: Mapping,
    timezone: str,
    problems: dict[int, str],
    advance: Callable[[int], None],
) -> list[dict[str, Any]]:
    values = {name: attributes[column].astype(object).where(attributes[column].notna(), None).tolist()
              for name, column in fields.items()}  # fmt: skip
    rows: list[dict[str, Any]] = []
    constants = mapping.constants
    unsure = Times(ZoneInfo(timezone), check_form(mapping.datetime_format) if mapping.datetime_format else None)
    times = {name: unsure.told_by([*values.get(name, ()), constants.get(name)]) for name in moments_of(layer)}
    for index in range(len(attributes)):
        given = {name: column[index] for name, column in values.items() if column[index] is not None} | constants
        try:
            rows.append(read_row(layer, given, times))
        except UserError as error:
            problems.setdefault(index, str(error))
            rows.append({})
        if index % 1000 == 999:
            advance(1000)
    return rows


def _join_parts(
    layer: Layer, rows: list[dict[str, Any]], geometry: Any, problems: dict[int, str], report: Report
) -> set[int]:
    """Make one cell or zone of rows that say the same but for their shape; return those that went into another."""
    parts: dict[tuple[Any, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if index not in problems:
            parts.setdefault(tuple(row.items()), []).append(index)
    joined: set[int] = set()
    for first, *others in parts.values():
        if not others:
            continue
        geometry[first] = shapely.union_all(geometry[[first, *others]], grid_size=LATTICE_STEP)
        joined.update(others)
        numbers = ", ".join(str(index + 1) for index in (first, *others)[:20])
        report.notes.append(f"rows {numbers} say the same but for their shape: parts of {rows[first][layer.key]}")
    return joined


def _give_local_ids(
    layer: Layer, rows: list[dict[str, Any]], geometry: Any, problems: dict[int, str], report: Report
) -> None:
    """Give cameras without a national ID one of ours, the same each time for a camera of the same name and place."""
    if layer.name != "cameras":
        return
    lacking = [index for index, row in enumerate(rows) if index not in problems and not row[layer.key]]
    for index in lacking:
        rows[index][layer.key] = local_id(rows[index]["name"], geometry[index].x, geometry[index].y)
    if lacking:
        report.notes.append(
            f"{len(lacking)} cameras without a national ID (GB/T 28181) got local ones, such as {rows[lacking[0]][layer.key]}: "
            "give them theirs later, with PATCH /collections/cameras/items/LOCAL-..."
        )


def _check_keys(
    connection: Connection, layer: Layer, rows: list[dict[str, Any]], problems: dict[int, str], joined: set[int]
) -> set[int]:
    """Refuse keys that stand twice in the file, are stored already, or are not for whoever imports to give.

    Returns the rows whose key is stored already, and that have no other fault.
    """
    stored: set[int] = set()
    if layer.name == "response_circles":
        return stored  # known by post and tier together; the table's unique constraint speaks
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        key = row.get(layer.key)
        if key is None or index in problems or index in joined:
            continue
        if str(key) in first:
            problems[index] = f"{layer.key} {key} {_TWICE} {first[str(key)] + 1} already"
        else:
            first[str(key)] = index
    for index, reason in _taken(connection, layer, first).items():
        problems.setdefault(index, reason)
        stored.add(index)
    if layer.name in ("police_posts", "patrol_units"):
        for other in connection.execute(QUERIES["not_theirs"], {"keys": list(first)}).fetchall():
            problems.setdefault(first[other["key"]], f"{layer.key} {other['key']} {_NOT_THEIRS}")
    return stored


def _keys(layer: Layer, rows: list[dict[str, Any]]) -> list[str | None]:
    return [None if row.get(layer.key) is None else str(row[layer.key]) for row in rows]


def _taken(connection: Connection, layer: Layer, keys: dict[str, int]) -> dict[int, str]:
    """Find which keys are stored, whoever stored them: reason by number."""
    found = connection.execute(layer.query("taken"), {"keys": list(keys)}).fetchall()
    return {keys[str(row["key"])]: f"{layer.key} {row['key']} {_STORED}" for row in found}


def _check_scope(connection: Connection, layer: Layer, geometry: Any, problems: dict[int, str]) -> None:
    """Refuse what lies outside the cells of whoever imports; the owner of the database may import anywhere."""
    if not layer.is_editable:
        return
    good = [index for index in range(len(geometry)) if index not in problems]
    outside = connection.execute(QUERIES["outside"], {"wkb": list(shapely.to_wkb(geometry[good]))}).fetchall()
    problems |= {good[row["number"] - 1]: "it lies in none of your grid cells" for row in outside}


def stored_extent(connection: Connection) -> Extent | None:
    """Return west, south, east, north of the cells in force, degrees; None when there are none."""
    found = connection.execute(LOCATE_QUERIES["extent"]).fetchone()
    if found is None or found["west"] is None:
        return None
    return found["west"], found["south"], found["east"], found["north"]


def _store(
    connection: Connection,
    layer: Layer,
    frame: "DataFrame",
    file_name: str,
    fit_parents_m: float | None,
    heal_m: float,
    report: Report,
    advance: Callable[[int], None],
    conclude: Callable[[list[int]], None],
) -> None:
    note = f"import of {file_name}"
    if layer.name == "grid_cells":
        fit = max(fit_parents_m or 0.0, heal_m)
        published = publish_cells(connection, frame, note, fit_parents_m=fit, progress=advance, heal_m=heal_m)
        _tell_healed(published.healed, heal_m, report)
        if published.recut:
            most = max(shift for _, shift in published.recut)
            report.notes.append(
                f"{len(published.recut)} parents were re-cut to the union of their children; the borders moved by up "
                f"to {metres(most)}: {', '.join(code for code, _ in published.recut[:30])}"
            )
        return
    if layer.name == "patrol_zones":
        _tell_healed(publish_zones(connection, frame, note, heal_m=heal_m).healed, heal_m, report)
        return
    stored = insert_frame(connection, layer, frame, advance) if len(frame) else []
    if layer.is_assigned:
        report.unassigned = _assign_new(connection, layer, stored)
    conclude(stored)


def _tell_healed(moved: list[Moved], heal_m: float, report: Report) -> None:
    report.healed = [vars(change) for change in moved]
    if moved:
        farthest = sorted(moved, key=lambda change: -change.metres)
        report.notes.append(
            f"{len(moved)} shapes were changed to fit their neighbours (--heal {heal_m:g}; gaps and overlaps up to so "
            f"many metres): {', '.join(map(str, farthest[:30]))}{', and others less far' * (len(moved) > 30)}"
        )


def _assign_new(connection: Connection, layer: Layer, ids: list[int]) -> int:
    if connection.info.user != APPLICATION_ROLE:  # for it the database itself does, row by row
        assign(connection, layer, ids)
    counted = connection.execute(
        sql.SQL("select count(*) as unassigned from {table} where {key} = any(%s) and unassigned").format(
            key=sql.Identifier(layer.id_column), table=sql.Identifier(layer.name)
        ),
        (ids,),
    ).fetchone()
    return int(counted["unassigned"]) if counted else 0
