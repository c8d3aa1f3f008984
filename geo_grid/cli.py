"""Every `geo-grid` command. Thin: it reads arguments, calls one function, prints its answer."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from geo_grid import __version__
from geo_grid.cli_access import audit_app, key_app, kiosk_app, user_app
from geo_grid.cli_boundaries import boundaries_app
from geo_grid.cli_circles import circles_app
from geo_grid.cli_files import files_app
from geo_grid.errors import GeoGridError, InvalidRows, UserError, told
from geo_grid.moments import in_zone
from geo_grid.settings import Settings, settings
from geo_grid.terminal import Json, compile_loops, log_warnings, progress, ready_database, say, say_rows

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection
    from geo_grid.locate import CityIndex

app = typer.Typer(
    help="geo_grid: the map a city's command centre runs on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
demo_app = typer.Typer(help="The generated full-size demo city.", no_args_is_help=True)
app.add_typer(files_app)
app.add_typer(demo_app, name="demo")
app.add_typer(circles_app, name="circles")
app.add_typer(boundaries_app, name="boundaries")
app.add_typer(user_app, name="user")
app.add_typer(key_app, name="key")
app.add_typer(kiosk_app, name="kiosk")
app.add_typer(audit_app, name="audit")


Empty = Annotated[bool, typer.Option("--empty", help="Do not load the demo city.")]
Levels = Annotated[Path | None, typer.Option(help="TOML file of grid levels for an empty city.")]
Incidents = Annotated[int, typer.Option(min=0, max=20_000_000, help="Demo incidents over 12 months.")]
DemoUsers = Annotated[bool, typer.Option("--demo", help="Also make a demo user of each role.")]
Tell = Annotated[int | None, typer.Option(hidden=True, help="File descriptor for what is shown once.")]
Line = Annotated[int, typer.Option(help="Descriptor of the line to the supervisor.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to serve on, instead of GEO_GRID_PORT.")]
Host = Annotated[str | None, typer.Option(help="Address to serve on, instead of GEO_GRID_HOST.")]


def _settings_for(host: str | None, port: int | None) -> Settings:
    """Read the settings, with what was said on the command line, which our own processes then read as well."""
    for name, value in (("HOST", host), ("PORT", port)):
        if value is not None:
            os.environ[f"GEO_GRID_{name}"] = str(value)
    return settings()


@app.command()
def up(
    empty: Empty = False,
    levels: Levels = None,
    incidents: Incidents = 100_000,
    demo: DemoUsers = False,
    port: Port = None,
    host: Host = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Serve in the background; stop with `geo-grid down`.")
    ] = False,
) -> None:
    """Start everything: database, migrations, the demo city unless --empty, and the server; again when it dies."""
    from geo_grid.api.serving import address, listen, refuse_open_door, stoppable
    from geo_grid.supervising import Ended, ServerLock, Supervisor, go_into_background

    config = _settings_for(host, port)
    refuse_open_door(config)
    url = address(config)
    lock = ServerLock(config.state_dir)
    if (holder := lock.holder()) is not None:
        say(f"geo_grid is already running at {holder['url']}/maps/wall")
        return
    tell: int | None = None
    if detach:
        tell = go_into_background(config.state_dir)
        if tell is None:
            say(f"running in the background; stop it with: make down   (or geo-grid down; log: {lock.log})")
            return
        log_warnings()
    wishes = [*(["--empty"] if empty else []), *(["--demo"] if demo else []), "--incidents", str(incidents)]
    wishes += ["--levels", str(levels)] if levels else []
    wishes += ["--tell", str(tell)] if tell is not None else []
    stop = "" if detach else ", stop: Ctrl-C"  # whoever started it in the background says how
    is_told = False

    def announce() -> None:
        nonlocal is_told
        say(f"geo_grid is ready: {url}/maps/wall   (API: {url}/docs{stop})")
        if tell is not None and not is_told:
            os.close(tell)  # whoever started us reads to its end, and then knows
        is_told = True

    with stoppable(), lock.held(url) as held:
        if held is None:
            say(f"geo_grid is already running at {url}/maps/wall")
            return
        supervisor = Supervisor(config.state_dir, listen(config), [held.fileno()])  # it loads the server meanwhile
        from geo_grid.db import database

        try:
            with database(config), supervisor:
                supervisor.prepare(wishes, [] if tell is None else [tell])
                supervisor.serve(announce)
        except Ended as ended:  # in its own words already, unless it was killed
            if ended.code <= 0:
                say(f"geo-grid: {ended}")
            raise typer.Exit(ended.code if ended.code > 0 else 1) from None
    say("stopped")


@app.command(hidden=True)
def prepare(
    lifeline: Line,
    empty: Empty = False,
    levels: Levels = None,
    incidents: Incidents = 100_000,
    demo: DemoUsers = False,
    tell: Tell = None,
) -> None:
    """Do what `up` does before it serves: a process of its own, whose memory goes with it."""
    from geo_grid.api.serving import stoppable
    from geo_grid.supervising import Lifeline

    line = Lifeline(lifeline)
    line.wait_for_go()
    with stoppable():
        line.watch()
        compile_loops()
        with ready_database(is_watched=False) as conninfo:
            if levels is not None:
                _set_levels(conninfo, levels)
            if empty:
                _say_if_without_levels(conninfo)
            else:
                _load_demo_if_empty(conninfo, incidents)
            _make_first_users(conninfo, demo, tell)
            _compile_edition(conninfo)
        line.say_ready()


@app.command(hidden=True)
def serve_supervised(
    lifeline: Line, bound: Annotated[int, typer.Option("--socket", help="Descriptor of the bound socket.")]
) -> None:
    """Serve for `up`, which prepared everything, watches over the database and starts this again when it dies."""
    import faulthandler
    import socket

    import geo_grid.api.app  # noqa: F401, loaded while others prepare
    from geo_grid import compiled_code
    from geo_grid.api import serving
    from geo_grid.compiling import make_ready
    from geo_grid.db import database
    from geo_grid.supervising import Lifeline

    faulthandler.enable()  # a crash in C++ leaves words too
    os.umask(0o077)
    line = Lifeline(lifeline)
    if compiled_code.is_complete():
        make_ready()
    line.wait_for_go()
    with serving.stoppable():
        line.watch()
        with database(settings(), is_watched=False) as conninfo:
            serving.serve(settings(), conninfo, socket.socket(fileno=bound), line.say_ready)


def _make_first_users(conninfo: str, demo: bool, tell: int | None) -> None:
    """Make the first administrator, and demo users on request; show their passwords once, and never in a log."""
    from geo_grid.access.first import Made, demo_users, first_administrator
    from geo_grid.cli_access import as_owner

    history = settings().password_history

    async def make(connection: "AsyncConnection") -> list[Made]:
        first = await first_administrator(connection, history)
        users = await demo_users(connection, history) if demo else []
        return [*([first] if first else []), *users]

    made = as_owner(conninfo, make)
    if not made:
        return
    lines = [
        "these accounts were made; each password is shown once, here, and must be changed at the first log-in:",
        *(f"  {one.login_name:20} {one.password}   ({one.role})" for one in made),
    ]
    if tell is None:
        for line in lines:
            say(line)
    else:
        with os.fdopen(tell, "w", encoding="utf-8") as pipe:
            pipe.write("\n".join(lines) + "\n")


@app.command()
def down() -> None:
    """Stop what `up --detach` started."""
    from geo_grid.supervising import stop_in_background

    url = stop_in_background(settings().state_dir)
    say(f"stopped {url}" if url else "nothing is running here")


@app.command()
def serve(port: Port = None, host: Host = None) -> None:
    """Serve an existing database; loads nothing, and is not started again."""
    from geo_grid.api import serving

    config = _settings_for(host, port)
    serving.refuse_open_door(config)
    url = serving.address(config)
    with serving.stoppable():
        bound = serving.listen(config)
        compile_loops()
        with ready_database() as conninfo:
            serving.serve(config, conninfo, bound, lambda: say(f"serving at {url}/maps/wall"))


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from geo_grid.db import read_migrations

    with ready_database():
        say(f"the database is at migration {read_migrations()[-1].name}")


@app.command(context_settings={"ignore_unknown_options": True})  # they are psql's
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="For psql: -c 'select …', -f FILE, …")] = None,
) -> None:
    """Open psql on the database as its owner; the private PostGIS is started if it does not run."""
    from geo_grid.db import run_psql

    with ready_database(migrated=False) as conninfo:
        raise typer.Exit(run_psql(conninfo, arguments or []))


@app.command()
def layers() -> None:
    """Print what every layer holds, column by column: the page docs/layers.md."""
    from geo_grid.layers.page import page

    print(page(), end="")


@app.command("compile")
def compile_command() -> None:
    """Compile our own loops, once; `up` and `serve` do it by themselves."""
    compile_loops()


def _load_demo_if_empty(conninfo: str, incidents: int) -> None:
    from geo_grid.db import connect
    from geo_grid.layers.emptiness import is_empty  # not from the demo, which takes seconds to import

    with connect(conninfo) as connection:
        empty = is_empty(connection)
    if empty:
        say("loading the demo city (once; about a minute)")
        _load_demo(conninfo, incidents, None)


def _load_demo(conninfo: str, incidents: int, seed: int | None) -> None:
    from geo_grid.db import connect
    from geo_grid.demo import load_demo
    from geo_grid.response import Travel

    config = settings()
    with connect(conninfo) as connection:
        loaded = load_demo(
            connection,
            progress,
            datetime.now(UTC).replace(microsecond=0),
            incidents,
            **({"seed": seed} if seed is not None else {}),
            travel=Travel.of(config),
            roads_dir=config.roads_dir,
        )
    say(", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in loaded.rows.items()))
    say(f"{loaded.unassigned_incidents} incidents lie outside every grid cell and are flagged")
    say("the lists of names disagree here (drawn as said, nothing guessed in silence):")
    for line in loaded.disagreements:
        say(f"  - {line}")


@demo_app.command("load")
def demo_load(
    incidents: Annotated[int, typer.Option(min=0, max=20_000_000, help="Incidents over 12 months.")] = 100_000,
    seed: Annotated[int | None, typer.Option(help="Another seed draws another city.")] = None,
) -> None:
    """Load the demo city into an empty database."""
    compile_loops()
    with ready_database() as conninfo:
        _load_demo(conninfo, incidents, seed)


def _say_if_without_levels(conninfo: str) -> None:
    from geo_grid.db import connect
    from geo_grid.layers.grid_levels import list_levels

    with connect(conninfo) as connection:
        if not list_levels(connection):
            say(
                "the city has no grid levels yet: before you import cells, say which there are with"
                " geo-grid levels FILE.toml (docs/chicago-levels.toml is an example)"
            )


def _set_levels(conninfo: str, path: Path) -> None:
    from geo_grid.boundaries import redraw_cells
    from geo_grid.db import connect
    from geo_grid.layers.grid_levels import read_levels, set_levels

    found = read_levels(path)
    with connect(conninfo) as connection:
        set_levels(connection, found)
        redraw_cells(connection)


@app.command()
def levels(
    file: Annotated[
        Path | None, typer.Argument(help="TOML file with [[grid_levels]]; shows the levels if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the levels of the grid, or set them from a file."""
    from geo_grid.db import connect
    from geo_grid.layers.grid_levels import list_levels

    with ready_database() as conninfo:
        if file is not None:
            _set_levels(conninfo, file)
        with connect(conninfo) as connection:
            found = list_levels(connection)
    if as_json:
        print(json.dumps([level.model_dump() for level in found], ensure_ascii=False))
        return
    for level in found:
        print(
            f"{level.grid_level}  {level.name_zh}  {level.name_en}  ({level.code_scheme}, from zoom {level.min_zoom})"
        )


@app.command(context_settings={"ignore_unknown_options": True})  # so that -87.6 is a longitude, not a flag
def locate(
    lon: Annotated[float | None, typer.Argument(help="Longitude, or easting.")] = None,
    lat: Annotated[float | None, typer.Argument(help="Latitude, or northing.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Points instead of one: .csv, .json or .arrow; see docs/locate.md.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the points go with their owners, in the same form.")] = None,
    levels: Annotated[
        list[int] | None, typer.Option("--level", help="Also the code at this level; repeatable.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Answer the good points; name the problem of the others.")
    ] = False,
    source_crs: Annotated[str, typer.Option(help="EPSG code, GCJ-02 or BD-09.")] = "EPSG:4490",
    at: Annotated[datetime | None, typer.Option(help="Answer as of this moment, in the city's time zone.")] = None,
    as_json: Json = False,
) -> None:
    """Say who is responsible for a point, or for every point of a file."""
    if file is not None and out is not None and lon is None:
        _locate_file(file, out, source_crs, tuple(levels or ()), skip_invalid, at, as_json)
    elif lon is not None and lat is not None and file is None and out is None:
        _locate_point(lon, lat, source_crs, at, as_json)
    else:
        message = "give either LON LAT, or --file POINTS --out OWNERS"
        raise UserError(message)


def _locate_file(
    file: Path, out: Path, crs: str, levels: tuple[int, ...], skip_invalid: bool, at: datetime | None, as_json: bool
) -> None:
    from geo_grid.db import connect
    from geo_grid.exchange import FORMS, Asked, locate_points
    from geo_grid.locate import edition_in_force

    form = file.suffix.lower().lstrip(".")
    if form not in FORMS or out.suffix.lower() != file.suffix.lower():
        message = f"{file} and {out} must have the same ending, one of .{', .'.join(FORMS)}"
        raise UserError(message)
    if not file.is_file():
        message = f"{file}: there is no such file"
        raise UserError(message)
    with ready_database() as conninfo:
        with connect(conninfo) as connection:
            edition = edition_in_force(connection, in_zone(at, settings().timezone) if at is not None else None)
        city = _open_city(conninfo, edition)
    fresh = out.with_name(f".{out.name}.new")
    try:
        with progress(f"locating {file.name}") as advance:
            done = locate_points(city, file, fresh, form, Asked(crs, levels, skip_invalid), advance)
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
    say(f"{done.points} points, {done.unassigned} of them outside every grid cell{skipped}; edition {edition}")


def _compile_edition(conninfo: str) -> None:
    """Compile the edition in force where the server looks for it: compiled there, it would keep 150 MB."""
    from geo_grid.db import connect
    from geo_grid.locate import edition_in_force, open_city

    with connect(conninfo) as connection:
        edition = edition_in_force(connection)
    open_city(conninfo, settings().state_dir / "editions", edition)


def _open_city(conninfo: str, edition: int | None) -> "CityIndex":
    from geo_grid.locate import CityIndex, open_city

    with progress("point index"):
        return CityIndex.load(open_city(conninfo, settings().state_dir / "editions", edition))


def _locate_point(lon: float, lat: float, source_crs: str, at: datetime | None, as_json: bool) -> None:
    from geo_grid.cli_access import as_owner
    from geo_grid.coordinates import to_lonlat
    from geo_grid.locate import Location, refuse_swapped
    from geo_grid.locate import locate as ask

    x, y = to_lonlat(lon, lat, source_crs)

    async def answer(connection: "AsyncConnection") -> Location:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
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


@app.command()
def assign(
    everything: Annotated[bool, typer.Option("--all", help="Every row again, not only those never assigned.")] = False,
    as_json: Json = False,
) -> None:
    """Give incidents and cameras to the grid cell and patrol zone that own them."""
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


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation and its data, and say what to do about what is wrong."""
    from geo_grid.doctor import examine

    with ready_database(migrated=False) as conninfo:
        findings = examine(conninfo, settings())
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], ensure_ascii=False))
    else:
        table = Table("", "what", "found", box=None)
        for finding in findings:
            table.add_row("ok" if finding.ok else "!!", finding.what, finding.found)
        Console().print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Read nothing; options common to all commands."""


def main() -> None:
    """Run a command; render errors: one line and exit code 2 for the user's, 1 for ours."""
    log_warnings()
    try:
        app()
    except InvalidRows as error:
        say_rows(error.rows)
        say(f"geo-grid: {error}")
        sys.exit(2)
    except UserError as error:
        say(f"geo-grid: {error}")
        sys.exit(2)
    except GeoGridError as error:
        say(f"geo-grid: {error}")
        sys.exit(1)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        for fault in error.errors():
            say(f"geo-grid: GEO_GRID_{str(fault['loc'][0]).upper()}: {told(fault)}")
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; nothing half-done was kept")
        sys.exit(130)
