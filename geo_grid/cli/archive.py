"""`geo-grid archive`: the private database as it was at any moment."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from geo_grid.cli.terminal import progress, ready_database, say
from geo_grid.errors import Conflict, UserError
from geo_grid.settings import Settings, settings

archive_app = typer.Typer(
    help="Copies of the private database and its log, from which any moment is brought back.", no_args_is_help=True
)


def _archive(config: Settings) -> Path:
    if config.database_url is not None:
        message = (
            "GEO_GRID_DATABASE_URL names a database of your own: archive it as you archive others (pgBackRest, Barman)"
        )
        raise UserError(message)
    if config.wal_archive is None:
        message = "GEO_GRID_WAL_ARCHIVE names no folder: set it to one on another disk, and start geo_grid again"
        raise UserError(message)
    return config.wal_archive


@archive_app.command()
def base(
    kept: Annotated[int, typer.Option(min=1, help="Copies that are kept; older ones, and their log, are deleted.")] = 2,
) -> None:
    """Copy the whole database into the archive, while it is served; once a week is usual."""
    from geo_grid.backups import make_base

    archive = _archive(settings())
    with ready_database(migrated=False) as conninfo:
        made = make_base(conninfo, archive, progress, kept)
    say(f"{made.folder}: from {made.made_at:%Y-%m-%d %H:%M:%S %Z} on any moment can be brought back")


@archive_app.command("list")
def list_command() -> None:
    """List the copies in the archive."""
    from geo_grid.backups import list_bases

    for one in list_bases(_archive(settings())):
        print(f"{one.made_at:%Y-%m-%d %H:%M:%S %Z}  {one.folder}")


@archive_app.command()
def restore(
    moment: Annotated[
        str | None, typer.Argument(help="2026-11-28T03:00:00+08:00, or without zone as the city has it.")
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="To the end of the log: all that the archive holds.")
    ] = False,
) -> None:
    """Bring the database back as it was at a moment; stop the server first. What it was is kept beside it."""
    from geo_grid.backups import restore_until
    from geo_grid.db import Cluster
    from geo_grid.supervising.lock import ServerLock

    config = settings()
    archive = _archive(config)
    if (moment is None) != latest:
        message = "say a moment, or --latest"
        raise UserError(message)
    holder = ServerLock(config.state_dir).holder()
    if holder is not None:
        message = f"geo_grid is running at {holder['url']}/: stop it first (geo-grid down)"
        raise Conflict(message)
    wanted = None if moment is None else _moment(moment, config.timezone)
    reached = restore_until(Cluster(config.state_dir, archive=archive), archive, wanted, progress)
    until = "the end of its log" if wanted is None else f"{wanted:%Y-%m-%d %H:%M:%S %Z}"
    say(f"the city of {until} is restored, from the copy of {reached.base.made_at:%Y-%m-%d %H:%M:%S %Z}")
    say(f"{sum(reached.rows.values()):,} rows, and the audit is whole: start it with geo-grid up, then make a new copy")


def _moment(said: str, timezone: str) -> datetime:
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        message = f"{said} is no moment: write it as 2026-11-28T03:00:00+08:00"
        raise UserError(message) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(timezone))
