"""`geo-grid boundaries`: drafts of grid cells, their check and impact, publishing and rolling back."""

import getpass
import json
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from geo_grid.cli.terminal import Json, progress, ready_database, say
from geo_grid.errors import UserError
from geo_grid.moments import in_zone
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.boundaries.division import Edits

boundaries_app = typer.Typer(
    help="Redraw grid cells and patrol zones: drafts, check, impact, publish, roll back.", no_args_is_help=True
)

Draft = Annotated[int, typer.Argument(help="Number of a draft; boundaries list shows them.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]


_TIMES = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


class Operation(StrEnum):
    """What can be done to cells and zones, by hand."""

    SPLIT = "split"
    MERGE = "merge"
    MOVE_BORDER = "move-border"
    CARVE = "carve"
    RESHAPE = "reshape"
    TRANSFER = "transfer"
    DESCRIBE = "describe"
    CREATE = "create"
    RETIRE = "retire"


class Layer(StrEnum):
    """What is redrawn."""

    GRID_CELLS = "grid_cells"
    PATROL_ZONES = "patrol_zones"


def _author() -> str:
    return f"{getpass.getuser()}@command-line"


def _geometry(text: str | None) -> dict[str, Any] | None:
    """Read a geometry: WKT, GeoJSON, or a file of either."""
    import shapely

    if text is None:
        return None
    said = Path(text).read_text(encoding="utf-8") if Path(text[:200]).is_file() else text
    try:
        if said.lstrip().startswith("{"):
            found = json.loads(said)
            found = found["features"][0] if found.get("type") == "FeatureCollection" else found
            said = json.dumps(found.get("geometry", found))
            shape = shapely.from_geojson(said)
        else:
            shape = shapely.from_wkt(said)
    except (shapely.errors.ShapelyError, ValueError, LookupError, AttributeError):
        message = f"{text[:80]!r} is neither WKT nor GeoJSON, nor a file of one"
        raise UserError(message) from None
    geometry: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return geometry


@boundaries_app.command("draft")
def draft(title: Annotated[str, typer.Argument(help="What it is for.")]) -> None:
    """Begin a draft on the boundaries in force; prints its number."""
    from geo_grid.boundaries import make_draft
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        print(make_draft(connection, title, _author()))


@boundaries_app.command("list")
def list_(as_json: Json = False) -> None:
    """List drafts."""
    from geo_grid.boundaries import list_drafts
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        found = list_drafts(connection)
    if as_json:
        print(json.dumps(found, default=str, ensure_ascii=False))
        return
    table = Table("draft", "title", "base", "steps", "by", "state", box=None)
    for row in found:
        table.add_row(
            str(row["draft_id"]),
            row["title"],
            str(row["base_edition_id"]),
            str(row["steps"]),
            row["made_by"],
            _state(row),
        )
    Console().print(table)


def _state(row: dict[str, Any]) -> str:
    if row["published_edition_id"] is not None:
        return f"published as edition {row['published_edition_id']}"
    if row["discarded_at"] is not None:
        return "discarded"
    return "behind the boundaries in force: rebase it" if row["is_stale"] else "open"


@boundaries_app.command("edit")
def edit(
    draft_id: Draft,
    operation: Annotated[Operation, typer.Argument(help="What is done.")],
    codes: Annotated[list[str] | None, typer.Argument(help="Codes of the cells or zones it is done to.")] = None,
    layer: Annotated[Layer | None, typer.Option(help="What is redrawn; grid_cells where it can be either.")] = None,
    line: Annotated[
        str | None, typer.Option(help="WKT, GeoJSON, or a file: where to split, or the new border.")
    ] = None,
    area: Annotated[
        str | None, typer.Option(help="WKT, GeoJSON, or a file: what is carved out, or the new shape.")
    ] = None,
    parent: Annotated[str | None, typer.Option(help="Code of the cell to transfer it to.")] = None,
    keep: Annotated[str | None, typer.Option(help="Code that a merger keeps; the largest if not given.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of what is carved out, or the new name.")] = None,
    households: Annotated[int | None, typer.Option(min=0, help="Number of households.")] = None,
    kind: Annotated[str | None, typer.Option(help="basic or dedicated; of zones regular or temporary.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit responsible for a zone.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    as_json: Json = False,
) -> None:
    """Do one step in a draft: it leaves the city divided at every level, or is refused and changes nothing."""
    from geo_grid.boundaries import as_step, edit_draft
    from geo_grid.db import connect

    given = {
        "codes": codes or None, "line": _geometry(line), "area": _geometry(area), "parent_code": parent, "keep": keep,
        "name": name, "household_count": households, "cell_kind": kind, "responsible_unit": unit,
        "layer": layer.value if layer else None,
    }  # fmt: skip
    arguments = {key: value for key, value in given.items() if value is not None}
    step = as_step(operation.value.replace("-", "_"), arguments, reason)
    with ready_database() as conninfo, connect(conninfo) as connection, progress(f"{operation.value}"):
        edits = edit_draft(connection, draft_id, step, _author())
    _say_edits(edits, as_json)


def _say_edits(edits: "Edits", as_json: bool) -> None:
    if as_json:
        print(
            json.dumps({code: None if cell is None else cell.name for code, cell in edits.items()}, ensure_ascii=False)
        )
        return
    for code, cell in sorted(edits.items()):
        say(f"{code}  {'is retired' if cell is None else cell.name}")


@boundaries_app.command("undo")
def undo_(draft_id: Draft) -> None:
    """Undo the last step of a draft."""
    from geo_grid.boundaries import undo
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        done = undo(connection, draft_id)
    say(f"{done} undone" if done else "there is nothing to undo")


@boundaries_app.command("redo")
def redo_(draft_id: Draft) -> None:
    """Do again the step that was undone last."""
    from geo_grid.boundaries import redo
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        done = redo(connection, draft_id)
    say(f"{done} done again" if done else "there is nothing to do again")


@boundaries_app.command("rebase")
def rebase_(draft_id: Draft) -> None:
    """Do a draft's steps again on the boundaries now in force."""
    from geo_grid.boundaries import rebase
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection, progress("doing the steps again"):
        steps = rebase(connection, draft_id)
    say(f"{steps} steps stand on the boundaries in force")


@boundaries_app.command("discard")
def discard_(draft_id: Draft) -> None:
    """Give a draft up."""
    from geo_grid.boundaries import discard
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        discard(connection, draft_id)
    say(f"draft {draft_id} is discarded")


@boundaries_app.command("check")
def check(
    draft_id: Annotated[
        int | None, typer.Argument(help="Number of a draft; the boundaries in force if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what is wrong, or looks wrong, with every cell; exit code 1 when something is wrong."""
    from geo_grid.boundaries import draft_findings, examine, led_codes, read_division, worked_codes
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection, progress("checking"):
        if draft_id is None:
            findings = examine(read_division(connection), led_codes(connection), workers=worked_codes(connection))
        else:
            findings = draft_findings(connection, draft_id, every=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings[:200]:
            say(
                f"{finding.severity}  {finding.kind}  {finding.grid_code}  {finding.text}  ({finding.lon}, {finding.lat})"
            )
        if len(findings) > 200:
            say(f"… and {len(findings) - 200} more (all with --json)")
        say(f"{len(findings)} findings")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@boundaries_app.command("impact")
def impact(draft_id: Draft, as_json: Json = False) -> None:
    """Tell what a draft would change: cells, and the owners of incidents and cameras."""
    from geo_grid.boundaries import draft_impact
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection, progress("looking"):
        found = draft_impact(connection, draft_id)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    say(f"{len(found.opened)} cells new, {len(found.changed)} changed, {len(found.retired)} retired")
    for flow in found.flows:
        say(f"{flow.count} {flow.kind}: {flow.from_code or 'nobody'} -> {flow.to_code or 'nobody'}")
    for kind, count in found.stay.items():
        say(f"{count} {kind} in changed cells keep their owner")
    for work in found.workloads:
        say(
            f"{work.grid_code} {work.name} ({', '.join(work.people) or 'nobody'}): households {_change(work.households_before, work.households_after)}{' (estimated)' if work.is_estimate else ''}{f' ({work.norm} the norm)' if work.norm else ''}, "
            f"incidents {_change(work.incidents_before, work.incidents_after)}, cameras {_change(work.cameras_before, work.cameras_after)}"
        )
    for code, duty, person in found.left_duties:
        say(f"{person} ({duty}) answers for {code}, which is retired: give them another cell")


def _change(before: int | None, after: int | None) -> str:
    said = ["?" if number is None else str(number) for number in (before, after)]
    return said[0] if said[0] == said[1] else " -> ".join(said)


class Match(StrEnum):
    """How cells of a file are known."""

    CODE = "code"
    OVERLAP = "overlap"


@boundaries_app.command("export")
def export_(
    draft_id: Draft,
    file: Annotated[Path, typer.Argument(help="A .gpkg to write, for QGIS.")],
    within: Annotated[str | None, typer.Option(help="Only this cell and what is below it.")] = None,
) -> None:
    """Write a draft as a GeoPackage, to edit it in QGIS."""
    from geo_grid.boundaries import read_division
    from geo_grid.db import connect
    from geo_grid.exchange.draft_files import export_draft

    with ready_database() as conninfo, connect(conninfo) as connection, progress("writing"):
        rows = export_draft(read_division(connection, draft_id), file, within)
    say(f"{rows} cells written to {file}")


@boundaries_app.command("import")
def import_(
    draft_id: Draft,
    file: Annotated[Path, typer.Argument(help="What was edited: the GeoPackage, or any other file of cells.")],
    source_crs: Annotated[str | None, typer.Option(help="EPSG code; as the file says if not given.")] = None,
    match: Annotated[
        Match, typer.Option(help="overlap: its codes are not ours, cells are known by place.")
    ] = Match.CODE,
) -> None:
    """Do what was edited in a file as steps of a draft, all or none."""
    from geo_grid.db import connect
    from geo_grid.exchange.draft_files import import_draft

    with ready_database() as conninfo, connect(conninfo) as connection, progress("recognising edits") as advance:
        done = import_draft(connection, draft_id, file, _author(), source_crs, match.value, advance=advance)
    for operation, codes in done:
        say(f"{operation}  {' '.join(codes)}")
    say(f"{len(done)} steps" if done else "the file changes nothing")


class Measure(StrEnum):
    """What is shared out evenly."""

    HOUSEHOLDS = "households"
    INCIDENTS = "incidents"
    VISITING_TIME = "visiting_time"


@boundaries_app.command("propose")
def propose_(
    draft_id: Draft,
    parents: Annotated[list[str], typer.Argument(help="Codes of neighbours: what they contain is shared out evenly.")],
    measure: Annotated[Measure, typer.Option(help="What is shared out.")] = Measure.HOUSEHOLDS,
    count: Annotated[int | None, typer.Option(min=2, help="How many groups; as many as parents if not given.")] = None,
    lock: Annotated[list[str] | None, typer.Option(help="A parent that keeps what it has; repeatable.")] = None,
    roads: Annotated[bool, typer.Option("--roads", help="Borders follow main roads where possible.")] = False,
    use: Annotated[str | None, typer.Option(help="Do one of them as a step: balanced, compact or least_moved.")] = None,
    as_json: Json = False,
) -> None:
    """Propose how to share out evenly what some neighbours contain, compared with the present."""
    from geo_grid.boundaries import as_step, edit_draft, proposals, read_division
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection:
        with progress("looking for ways"):
            division = read_division(connection, draft_id)
            loads = proposals.read_loads(connection, division, parents, measure.value)
            blocks = proposals.road_blocks(connection, division, parents) if roads else None
            present, found = proposals.propose(division, parents, loads, count=count, locked=lock or (), blocks=blocks)
        chosen = [one for one in found if one.aim == use]
        if use is not None and not chosen:
            message = f"there is no proposal {use}; there are {', '.join(one.aim for one in found)}"
            raise UserError(message)
        for one in chosen:
            step = as_step("regroup", {"groups": one.groups}, f"{measure.value}: {one.aim}")
            edit_draft(connection, draft_id, step, _author())
    if as_json:
        print(json.dumps({"present": asdict(present), "proposals": [asdict(one) for one in found]}, ensure_ascii=False))
        return
    table = Table("proposal", "deviation", "compactness", "cut edges", "moved", "loads", box=None)
    for one in (present, *found):
        told = one.measures
        loads_told = "  ".join(f"{code} {load:g}" for code, load in told.loads.items())
        table.add_row(
            one.aim,
            f"{told.deviation:.1%}",
            f"{told.compactness:.3f}",
            str(told.cut_edges),
            f"{told.moved:g}",
            loads_told,
        )
    Console().print(table)


@boundaries_app.command("overloaded")
def overloaded_(
    level: Annotated[int, typer.Argument(help="Grid level of the cells to look at.")],
    norm: Annotated[int | None, typer.Option(min=1, help="Households per grid manager; 500 if not given.")] = None,
    as_json: Json = False,
) -> None:
    """List cells where households per grid manager exceed a norm, the worst first."""
    from geo_grid.boundaries import read_division
    from geo_grid.boundaries.loads import overloaded
    from geo_grid.boundaries.norms import HOUSEHOLDS
    from geo_grid.db import connect

    norm = norm or HOUSEHOLDS[1]
    with ready_database() as conninfo, connect(conninfo) as connection, progress("looking"):
        found = overloaded(connection, read_division(connection), level, norm)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for one in found[:100]:
        say(
            f"{one['grid_code']}  {one['name']}  {one['households']} households, {one['workers']} managers, {one['assistants']} assistants"
        )
    say(f"{len(found)} cells exceed {norm} households per manager")


@boundaries_app.command("publish")
def publish(
    draft_id: Draft,
    note: Note,
    at: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="When; the server does it then. Now if not given.")
    ] = None,
) -> None:
    """Bring a draft into force, at once and whole; roll-back brings the former boundaries back."""
    from geo_grid.boundaries import approve, publish_now, submit
    from geo_grid.db import connect

    if at is not None:
        moment = in_zone(at, settings().timezone)
        with ready_database() as conninfo, connect(conninfo) as connection:
            submit(connection, draft_id, _author())
            approve(connection, draft_id, _author(), note, moment)
        say(f"a server brings draft {draft_id} into force at {moment.isoformat()}, if one is running then")
        return
    with ready_database() as conninfo, connect(conninfo) as connection, progress("publishing"):
        edition = publish_now(connection, draft_id, _author(), note)
    say(f"edition {edition} is in force")


@boundaries_app.command("rollback")
def rollback(edition: Annotated[int, typer.Argument(help="Number of a former edition.")], note: Note) -> None:
    """Bring the cells of a former edition into force again, as a new edition."""
    from geo_grid.boundaries import draft_restoring, publish_now
    from geo_grid.db import connect

    with ready_database() as conninfo, connect(conninfo) as connection, progress("rolling back"):
        made = publish_now(connection, draft_restoring(connection, edition, _author(), note), _author(), note)
    say(f"edition {made} is in force, with the cells of edition {edition}")
