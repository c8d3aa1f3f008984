"""`geo-grid demo`, `levels`, `layers`, `migrate`, `psql`, `doctor`: the city and the database it is in."""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geo_grid.cli.terminal import POLITENESS, Json, compiling, progress, ready_database, say
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection
    from geo_grid.demo import Drawn
    from geo_grid.doctor import Finding

_DOCTOR = "doctor"
"""Account of the machine that asks a server for its metrics."""
city_app = typer.Typer()
demo_app = typer.Typer(help="The generated full-size demo city.", no_args_is_help=True)
city_app.add_typer(demo_app, name="demo")


def load_demo(
    conninfo: str,
    incidents: int,
    drawing: "Callable[[], Drawn] | None",
    compiled: Callable[[], None],
    beside: Executor,
    earlier: Path | None = None,
) -> Future[None]:
    """Load the demo city and say what is in it; `compiled` waits for our own loops, for the rest see `demo.load_demo`.

    Returns what ends when PostgreSQL has counted what lies in its tables, in `beside`: it answers before, but more slowly.
    """
    from geo_grid.db import connect
    from geo_grid.demo import load_demo
    from geo_grid.locate import open_city
    from geo_grid.response import Travel

    config = settings()
    with connect(conninfo) as connection:
        loaded = load_demo(
            connection,
            progress,
            datetime.now(UTC).replace(microsecond=0),
            incidents,
            drawing,
            travel=Travel.of(config),
            roads_dir=config.roads_dir,
            timeout_s=config.response_timeout_s,
            compiled=compiled,
            earlier=earlier,
        )
    say(", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in loaded.rows.items()))
    if earlier is not None and earlier.exists():
        say("the incidents of the months before the last follow when the city is up")
    say(f"{loaded.unassigned_incidents} incidents lie outside every grid cell and are flagged")
    if loaded.unanswered:
        say(
            f"{len(loaded.unanswered)} posts got no answer about roads in time, and have estimates until the server draws them"
            " again, when it is up"
        )
    say("the lists of names disagree here (drawn as said, nothing guessed in silence):")
    for line in loaded.disagreements:
        say(f"  - {line}")
    counted = beside.submit(_analyse, conninfo)
    open_city(conninfo, config.state_dir / "editions", loaded.index.edition, loaded.index)
    return counted


def _analyse(conninfo: str) -> None:
    from geo_grid.db import connect

    with connect(conninfo) as connection:
        connection.execute("analyze")


def earlier_incidents() -> Path:
    """Where `up` sets aside the demo's incidents that can wait until the city is up."""
    return settings().state_dir / "demo-incidents.parquet"


@demo_app.command("load")
def demo_load(
    incidents: Annotated[int, typer.Option(min=0, max=20_000_000, help="Incidents over 12 months.")] = 100_000,
    seed: Annotated[int | None, typer.Option(help="Another seed draws another city.")] = None,
) -> None:
    """Load the demo city into an empty database."""

    def drawing() -> "Drawn":
        from geo_grid.demo import draw_demo

        return draw_demo(progress) if seed is None else draw_demo(progress, seed)

    with compiling() as compiled, ready_database() as conninfo, ThreadPoolExecutor(1) as beside:
        load_demo(conninfo, incidents, drawing, compiled, beside).result()


@demo_app.command("earlier", hidden=True)
def demo_earlier(lifeline: Annotated[int, typer.Option(help="Descriptor of the line to the supervisor.")]) -> None:
    """Load the incidents that the first start of the demo set aside, beside the server."""
    from geo_grid.supervising import Lifeline

    os.nice(POLITENESS)
    line = Lifeline(lifeline)
    line.wait_for_go()
    line.watch()
    with ready_database(migrated=False, is_watched=False) as conninfo, progress("earlier incidents"):
        from geo_grid.db import connect
        from geo_grid.demo import load_earlier

        with connect(conninfo) as connection:
            load_earlier(connection, earlier_incidents())
        earlier_incidents().unlink()
        with connect(conninfo) as connection:
            connection.execute("analyze incidents")


@demo_app.command("live")
def demo_live(
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Seconds of the demo in a second.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another seed brings other calls.")] = 130500,
    lifeline: Annotated[int | None, typer.Option(hidden=True, help="Descriptor of the line to the supervisor.")] = None,
) -> None:
    """Let the demo city live: units drive, calls come in and are worked on, at the server that runs here (see `up`)."""
    from geo_grid.cli.living import live

    live(speed, seed, lifeline)


def set_levels(conninfo: str, path: Path) -> None:
    """Set the levels of the grid from a TOML file."""
    from geo_grid.boundaries import redraw_cells
    from geo_grid.db import connect
    from geo_grid.layers.grid_levels import read_levels, set_levels

    found = read_levels(path)
    with connect(conninfo) as connection:
        set_levels(connection, found)
        redraw_cells(connection)


@city_app.command()
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
            set_levels(conninfo, file)
        with connect(conninfo) as connection:
            found = list_levels(connection)
    if as_json:
        print(json.dumps([level.model_dump() for level in found], ensure_ascii=False))
        return
    for level in found:
        print(
            f"{level.grid_level}  {level.name_zh}  {level.name_en}  ({level.code_scheme}, from zoom {level.min_zoom})"
        )


@city_app.command()
def layers() -> None:
    """Print what every layer holds, column by column: the page docs/layers.md."""
    from geo_grid.layers.page import page

    print(page(), end="")


@city_app.command()
def migrate(
    again: Annotated[
        bool,
        typer.Option("--again", help="Put functions, views, triggers and policies right that were changed by hand."),
    ] = False,
) -> None:
    """Bring the database up to date."""
    from geo_grid.db import read_migrations

    with ready_database(again=again):
        say(f"the database is at migration {read_migrations()[-1].name}")


@city_app.command(context_settings={"ignore_unknown_options": True})  # they are psql's
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="For psql: -c 'select …', -f FILE, …")] = None,
) -> None:
    """Open psql on the database as its owner; the private PostGIS is started if it does not run."""
    from geo_grid.db import run_psql

    with ready_database(migrated=False) as conninfo:
        raise typer.Exit(run_psql(conninfo, arguments or []))


def _served(conninfo: str) -> "list[Finding]":
    """Ask the server of this state folder what it says of itself, with a key that is revoked at once."""
    from geo_grid.access.accounts import NewCredential, issue_credential, revoke_credential
    from geo_grid.cli.access import as_owner, made_account
    from geo_grid.doctor import Finding
    from geo_grid.served import examine_served
    from geo_grid.supervising.lock import ServerLock

    holder = ServerLock(settings().state_dir).holder()
    if holder is None:
        return [Finding("server", True, "none runs with this state folder")]

    async def ask(connection: "AsyncConnection") -> tuple[int, str]:
        account = {"kind": "machine", "display_name": "geo-grid doctor", "role": "supervisor", "city_wide": True}
        await made_account(connection, _DOCTOR, account)
        key = NewCredential(name=_DOCTOR, label="asks for metrics once", rights=["metrics"], days=1)
        return await issue_credential(connection, key)

    number, key = as_owner(conninfo, ask)
    try:
        return examine_served(holder["url"], key)
    finally:
        as_owner(conninfo, lambda connection: revoke_credential(connection, number))


@city_app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation and its data, and say what to do about what is wrong."""
    from geo_grid.doctor import examine

    with ready_database(migrated=False) as conninfo:
        findings = [*examine(conninfo, settings()), *_served(conninfo)]
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], ensure_ascii=False))
    elif sys.stdout.isatty():
        table = Table("", "what", "found", box=None)
        for finding in findings:
            table.add_row(finding.sign, finding.what, finding.found)
        Console().print(table)
    else:  # a line for each, parted by tabs, for whoever searches them
        for finding in findings:
            print(finding.sign, finding.what, finding.found, sep="\t")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
