"""`geo-grid locate` and `assign`: who is responsible for a place."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geo_grid.cli.terminal import Json, progress, ready_database, say, say_rows
from geo_grid.errors import UserError
from geo_grid.moments import in_zone
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection
    from geo_grid.locate import CityIndex

places_app = typer.Typer()


@places_app.command(context_settings={"ignore_unknown_options": True})  # so that -87.6 is a longitude, not a flag
def locate(
    lon: Annotated[float | None, typer.Argument(help="Longitude, or easting.")] = None,
    lat: Annotated[float | None, typer.Argument(help="Latitude, or northing.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Points instead of one: .csv, .json, .arrow or .parquet; see docs/locate.md.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the points go with their owners, in the same form.")] = None,
    levels: Annotated[
        list[int] | None, typer.Option("--level", help="Also the code at this level; repeatable.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Answer the good points; name the problem of the others.")
    ] = False,
    source_crs: Annotated[
        str | None,
        typer.Option(help="EPSG code, GCJ-02 or BD-09; if not said, what a Parquet file says itself, or EPSG:4490."),
    ] = None,
    at: Annotated[datetime | None, typer.Option(help="Answer as of this moment, in the city's time zone.")] = None,
    as_json: Json = False,
) -> None:
    """Say who is responsible for a point, or for every point of a file."""
    if file is not None and out is not None and lon is None:
        _locate_file(file, out, source_crs, tuple(levels or ()), skip_invalid, at, as_json)
    elif lon is not None and lat is not None and file is None and out is None:
        _locate_point(lon, lat, source_crs or "EPSG:4490", at, as_json)
    else:
        message = "give either LON LAT, or --file POINTS --out OWNERS"
        raise UserError(message)


def _locate_file(
    file: Path,
    out: Path,
    crs: str | None,
    levels: tuple[int, ...],
    skip_invalid: bool,
    at: datetime | None,
    as_json: bool,
) -> None:
    from geo_grid.cores import usable_cores
    from geo_grid.db import connect
    from geo_grid.exchange import FILE_FORMS, Asked, locate_points
    from geo_grid.locate import edition_in_force

    form = file.suffix.lower().lstrip(".")
    if form not in FILE_FORMS or out.suffix.lower() != file.suffix.lower():
        message = f"{file} and {out} must have the same ending, one of .{', .'.join(FILE_FORMS)}"
        raise UserError(message)
    if not file.is_file():
        message = f"{file} is no regular file" if file.exists() else f"{file}: there is no such file"
        raise UserError(message)
    with ready_database() as conninfo:
        with connect(conninfo) as connection:
            edition = edition_in_force(connection, in_zone(at, settings().timezone) if at is not None else None)
        city = _open_city(conninfo, edition)
    fresh = out.with_name(f".{out.name}.new")
    try:
        asked = Asked(crs, levels, skip_invalid, cores=usable_cores())
        done = locate_points(city, file, fresh, form, asked, progress)
        fresh.replace(out)
    except OSError as error:
        message = f"{out} cannot be written: {error.strerror}"
        raise UserError(message) from None
    finally:
        fresh.unlink(missing_ok=True)
    if as_json:
        print(json.dumps({**vars(done), "edition": edition}, ensure_ascii=False))
        return
    say_rows(done.invalid)
    skipped = f", {done.invalid_count} are no places" if done.invalid_count else ""
    empty = f", {done.missing} have no point" if done.missing else ""
    say(f"{done.points} points, {done.unassigned} of them outside every grid cell{skipped}{empty}; edition {edition}")


def _open_city(conninfo: str, edition: int | None) -> "CityIndex":
    from geo_grid.locate import CityIndex, open_city

    with progress("point index"):
        return CityIndex.load(open_city(conninfo, settings().state_dir / "editions", edition))


def _locate_point(lon: float, lat: float, source_crs: str, at: datetime | None, as_json: bool) -> None:
    from psycopg import IsolationLevel

    from geo_grid.cli.access import as_owner
    from geo_grid.coordinates import to_lonlat
    from geo_grid.locate import Location, refuse_swapped
    from geo_grid.locate import locate as ask

    x, y = to_lonlat(lon, lat, source_crs)

    async def answer(connection: "AsyncConnection") -> Location:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await refuse_swapped(connection, x, y)
        moment = in_zone(at, settings().timezone) if at is not None else None
        return await ask(connection, x, y, moment, settings().positional_error_m)

    with ready_database() as conninfo:
        found = as_owner(conninfo, answer)
    if as_json:
        print(found.model_dump_json())
        return
    if found.unassigned:
        print("outside every grid cell")
    for cell in found.grid_cells:
        people = ", ".join(f"{duty.person_name} {duty.phone}" for duty in cell.duties)
        print(f"{cell.grid_level}  {cell.grid_code}  {cell.name}{'  ' + people if people else ''}")
    if found.patrol_zone is not None:
        print(f"zone  {found.patrol_zone.zone_code}  {found.patrol_zone.name}  {found.patrol_zone.responsible_unit}")
    for segment in found.patrol_segments:
        told = f"segment  {segment.zone_code}  {segment.name}  {segment.responsible_unit}"
        print(f"{told}  {segment.distance_m:.0f} m off")
    for circle in found.response:
        print(f"{circle.tier_minutes} min  {circle.post_code}  ({circle.method})")
    if not found.response_known:
        print("circles of that time are not kept")
    if found.distance_to_boundary_m is not None:
        print(f"{found.distance_to_boundary_m:.1f} m to the border of the innermost cell")


@places_app.command()
def assign(
    everything: Annotated[bool, typer.Option("--all", help="Every row again, not only those never assigned.")] = False,
    as_json: Json = False,
) -> None:
    """Give incidents, cameras and registered places to the grid cell and patrol zone that own them."""
    from geo_grid.db import connect
    from geo_grid.layers import REGISTRY
    from geo_grid.locate import assign as assign_layer
    from geo_grid.locate import assign_all, edition_in_force, hold_edition, never_assigned

    results: dict[str, Any] = {}
    assigned = [layer for layer in REGISTRY.values() if layer.is_assigned]
    with ready_database() as conninfo, connect(conninfo) as connection:
        if everything:
            hold_edition(connection)
            city = _open_city(conninfo, edition_in_force(connection))
            for layer in assigned:
                results[layer.name] = vars(assign_all(connection, layer, city, progress))
        else:
            for layer in assigned:
                with progress(f"assigning {layer.title_en.lower()}"):
                    results[layer.name] = vars(assign_layer(connection, layer, never_assigned(connection, layer)))
    if as_json:
        print(json.dumps(results))
        return
    for name, result in results.items():
        say(f"{name}: {result['rows']} rows, {result['unassigned']} outside every grid cell")
