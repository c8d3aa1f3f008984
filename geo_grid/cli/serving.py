"""`geo-grid up`, `down`, `serve`, `compile`: the server, and the processes it is made of."""

import json
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geo_grid.cli.city import earlier_incidents, load_demo, set_levels
from geo_grid.cli.terminal import compile_loops, compiling, importing, log_warnings, progress, ready_database, say
from geo_grid.settings import Settings, settings

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection
    from geo_grid.demo import Drawn

serving_app = typer.Typer()

Empty = Annotated[bool, typer.Option("--empty", help="Do not load the demo city.")]
Levels = Annotated[Path | None, typer.Option(help="TOML file of grid levels for an empty city.")]
Incidents = Annotated[int, typer.Option(min=0, max=20_000_000, help="Demo incidents over 12 months.")]
DemoUsers = Annotated[bool, typer.Option("--demo", help="Also show passwords of the demo's users, when they are made.")]
Still = Annotated[bool, typer.Option("--still", help="Do not let the demo city live.")]
Tell = Annotated[int | None, typer.Option(hidden=True, help="File descriptor for what is shown once.")]
Line = Annotated[int, typer.Option(help="Descriptor of the line to the supervisor.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to serve on, instead of GEO_GRID_PORT.")]
Host = Annotated[str | None, typer.Option(help="Address to serve on, instead of GEO_GRID_HOST.")]
Count = Annotated[int | None, typer.Option(min=1, max=16, help="Processes that serve, instead of GEO_GRID_WORKERS.")]


def _settings_for(host: str | None, port: int | None, workers: int | None = None) -> Settings:
    """Read the settings, with what was said on the command line, which our own processes then read as well."""
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[f"GEO_GRID_{name}"] = str(value)
    return settings()


@serving_app.command()
def up(
    empty: Empty = False,
    levels: Levels = None,
    incidents: Incidents = 100_000,
    demo: DemoUsers = False,
    port: Port = None,
    host: Host = None,
    workers: Count = None,
    still: Still = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Serve in the background; stop with `geo-grid down`.")
    ] = False,
) -> None:
    """Start everything: database, migrations, the demo city unless --empty, and the server; again when it dies."""
    from geo_grid.api.listening import address, listen, refuse_open_door, stoppable
    from geo_grid.supervising import Ended, ServerLock, Supervisor, go_into_background, say_ready

    config = _settings_for(host, port, workers)
    refuse_open_door(config)
    if config.database_url is not None:
        _refuse_missing_roles(config, config.database_url)
    url = address(config)
    lock = ServerLock(config.state_dir)
    if (holder := lock.holder()) is not None:
        say(f"geo_grid is already running at {holder['url']}/")
        return
    tell: int | None = None
    if detach:
        tell = go_into_background(config.state_dir)
        if tell is None:
            say(f"running in the background; stop it with: make down   (or geo-grid down; log: {lock.log})")
            return
        log_warnings()
    # not by the folder of PostgreSQL, which may be elsewhere (see Cluster): a city's first start compiles its edition
    is_new = not config.database_url and not (config.state_dir / "editions").exists()
    wishes = [*(["--empty"] if empty else []), *(["--demo"] if demo else []), "--incidents", str(incidents)]
    wishes += ["--new"] if is_new else []
    wishes += ["--levels", str(levels)] if levels else []
    wishes += ["--tell", str(tell)] if tell is not None else []
    stop = "" if detach else ", stop: Ctrl-C"  # whoever started it in the background says how
    is_told = False

    def announce() -> None:
        nonlocal is_told
        say(f"geo_grid is ready: {url}/   (API: {url}/docs{stop})")
        if tell is not None and not is_told:
            say_ready(tell)
        is_told = True

    with stoppable(), lock.held(url) as held:
        if held is None:
            say(f"geo_grid is already running at {url}/")
            return
        # what prepares, and the server, load their modules meanwhile
        given = [] if tell is None else [tell]
        supervisor = Supervisor(config.state_dir, listen(config), [held.fileno()], wishes, given, config.workers)
        from geo_grid.db import database

        try:
            with (
                closing(supervisor),
                database(config),
                supervisor,
            ):  # its processes end before the database, or without it
                supervisor.prepare()
                companions = [("demo", "earlier")] if earlier_incidents().exists() else []
                companions += [] if empty or still else [("demo", "live")]
                companions += [("cameras", "listen")] if config.sip_id and config.sip_port else []
                supervisor.serve(announce, companions)
        except Ended as ended:  # in its own words already, unless it was killed
            if ended.code <= 0:
                say(f"geo-grid: {ended}")
            raise typer.Exit(ended.code if ended.code > 0 else 1) from None
    say("stopped")


def _refuse_missing_roles(config: Settings, conninfo: str) -> None:
    """Raise UserError for a database that no server could work with, rather than after its modules are imported."""
    from geo_grid.db import application_conninfo, service_conninfo

    service_conninfo(config, application_conninfo(config, conninfo))


@serving_app.command(hidden=True)
def prepare(
    lifeline: Line,
    empty: Empty = False,
    levels: Levels = None,
    incidents: Incidents = 100_000,
    demo: DemoUsers = False,
    tell: Tell = None,
    new: Annotated[bool, typer.Option("--new", help="No city was here before: draw the demo meanwhile.")] = False,
) -> None:
    """Do what `up` does before it serves: a process of its own, whose memory goes with it."""
    from geo_grid.api.listening import stoppable
    from geo_grid.db import refuse_wrong_roles
    from geo_grid.supervising import Lifeline

    line = Lifeline(lifeline)
    counted: Future[None] | None = None
    with stoppable():
        with compiling() as compiled, ThreadPoolExecutor(1) as beside:
            drawn = beside.submit(_draw_demo) if new and not empty else None
            _import_what_prepares()
            line.wait_for_go()
            line.watch()
            with ready_database(is_watched=False) as conninfo:
                refuse_wrong_roles(settings(), conninfo)
                if levels is not None:
                    set_levels(conninfo, levels)
                if empty:
                    _say_if_without_levels(conninfo)
                else:
                    counted = _load_demo_if_empty(
                        conninfo, incidents, drawn.result if drawn else None, compiled, beside
                    )
                _make_first_users(conninfo, demo, tell)
                compiled()
                _compile_edition(conninfo)
                if counted is not None:
                    counted.result()
        line.say_ready()


def _draw_demo() -> "Drawn":
    from geo_grid.demo import draw_demo

    return draw_demo(progress)


def _import_what_prepares() -> None:
    """Import the large modules of a preparation while the database starts."""
    with importing():
        import geo_grid.access.first
        import geo_grid.live_demo.users
        import geo_grid.locate  # noqa: F401


@serving_app.command(hidden=True)
def serve_supervised(
    lifeline: Line, bound: Annotated[int, typer.Option("--socket", help="Descriptor of the bound socket.")]
) -> None:
    """Serve for `up`, which prepared everything, watches over the database and starts this again when it dies."""
    import faulthandler
    import socket

    from geo_grid import compiled_code
    from geo_grid.supervising import Lifeline

    faulthandler.enable()  # a crash in C++ leaves words too
    os.umask(0o077)
    line = Lifeline(lifeline)
    has_work = line.wait_for_go(
        unless=compiled_code.is_complete
    )  # those who prepare compile, and need all cores for it

    with importing():
        from geo_grid.api.app import create_app
        from geo_grid.api.listening import stoppable
        from geo_grid.api.serving import serve as serve_on
        from geo_grid.compiling import make_ready
        from geo_grid.db import connection_string, database

        app = create_app(settings(), connection_string(settings()))
        make_ready()
    if not has_work:
        line.wait_for_go()
    with stoppable():
        line.watch()
        with database(settings(), is_watched=False):
            serve_on(app, settings(), socket.socket(fileno=bound), line.say_ready, line.number)


def _make_first_users(conninfo: str, shows_demo: bool, tell: int | None) -> None:
    """Make the first administrator, and in the demo city its users; show passwords once, and never in a log.

    Parameters
    ----------
    shows_demo
        Whether to show the passwords of demo users too; without one they are chosen with a click on this machine alone.
    """
    from geo_grid.access.first import Made, first_administrator
    from geo_grid.cli.access import as_owner
    from geo_grid.live_demo.plan import is_demo_city
    from geo_grid.live_demo.users import demo_users

    history = settings().password_history

    async def make(connection: "AsyncConnection") -> list[Made]:
        first = await first_administrator(connection, history)
        users = await demo_users(connection, history) if await is_demo_city(connection) else []
        return [*([first] if first else []), *(users if shows_demo else [])]

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


def _load_demo_if_empty(
    conninfo: str,
    incidents: int,
    drawing: "Callable[[], Drawn] | None",
    compiled: Callable[[], None],
    beside: Executor,
) -> Future[None] | None:
    from geo_grid.db import connect
    from geo_grid.layers.emptiness import is_empty  # not from the demo, which takes seconds to import

    with connect(conninfo) as connection:
        empty = is_empty(connection)
    if empty:
        say("loading the demo city (once; about a minute)")
        return load_demo(conninfo, incidents, drawing, compiled, beside, earlier_incidents())
    return None


def _say_if_without_levels(conninfo: str) -> None:
    from geo_grid.db import connect
    from geo_grid.layers.grid_levels import list_levels

    with connect(conninfo) as connection:
        if not list_levels(connection):
            say(
                "the city has no grid levels yet: before you import cells, say which there are with"
                " geo-grid levels FILE.toml (docs/chicago-levels.toml is an example)"
            )


def _compile_edition(conninfo: str) -> None:
    """Compile the edition in force where the server looks for it: compiled there, it would keep 150 MB."""
    from geo_grid.db import connect
    from geo_grid.locate import edition_in_force, open_city

    with connect(conninfo) as connection:
        edition = edition_in_force(connection)
    open_city(conninfo, settings().state_dir / "editions", edition)


@serving_app.command()
def down() -> None:
    """Stop what `up --detach` started."""
    from geo_grid.supervising import stop_in_background

    url = stop_in_background(settings().state_dir)
    say(f"stopped {url}" if url else "nothing is running here")


@serving_app.command()
def serve(port: Port = None, host: Host = None) -> None:
    """Serve an existing database; loads nothing, and is not started again."""
    from geo_grid.api.listening import address, listen, refuse_open_door, stoppable

    config = _settings_for(host, port)
    refuse_open_door(config)
    url = address(config)
    with stoppable():
        bound = listen(config)
        compile_loops()
        with importing():
            from geo_grid.api.app import create_app
            from geo_grid.api.serving import serve as serve_on
            from geo_grid.db import refuse_wrong_roles

        with ready_database() as conninfo:
            refuse_wrong_roles(config, conninfo)
            app = create_app(config, conninfo)
            serve_on(app, config, bound, lambda: say(f"serving at {url}/"))


@serving_app.command()
def openapi() -> None:
    """Print the OpenAPI document of the server, as GET /openapi.json gives it out; needs no database."""
    from geo_grid.api.app import create_app
    from geo_grid.api.listening import address
    from geo_grid.api.server.document import describe

    config = settings()
    app = create_app(config, config.database_url or "")
    print(json.dumps(describe(app, config.public_url or address(config)), ensure_ascii=False))


@serving_app.command("compile")
def compile_command() -> None:
    """Compile our own loops, once; `up` and `serve` do it by themselves."""
    compile_loops()
