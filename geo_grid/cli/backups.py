"""`geo-grid backup` and `restore`: the whole city in one file."""

from pathlib import Path
from typing import Annotated

import typer

from geo_grid.cli.terminal import progress, ready_database, say
from geo_grid.errors import Conflict
from geo_grid.settings import settings

backups_app = typer.Typer()


@backups_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="Encrypt it for this public key of age (age1…); may be given several times."),
    ] = None,
    roads: Annotated[bool, typer.Option("--roads/--no-roads", help="With the road graph.")] = True,
) -> None:
    """Write the whole city, as of one moment, into a new file, while it is served."""
    from geo_grid.backups import make_backup

    with ready_database(migrated=False) as conninfo:
        made = make_backup(conninfo, settings().roads_dir, file, progress, recipient, roads)
    size = file.stat().st_size / 1e6
    say(f"{file}: {sum(made.rows.values()):,} rows as of {made.made_at:%Y-%m-%d %H:%M:%S %Z}, {size:,.0f} MB")
    if not recipient:
        say("it is not encrypted, and holds duty telephones and hashes of passwords: keep it as you keep the city")


@backups_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `geo-grid backup` wrote.")],
    identity: Annotated[Path | None, typer.Option(help="File with the key of age that decrypts it.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of this city as it is now.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Restore it beside, compare, and delete it again.")] = False,
) -> None:
    """Bring a city back from a backup, and check that all of it is there; stop the server first."""
    from geo_grid.api.listening import stoppable
    from geo_grid.backups import restore_backup
    from geo_grid.supervising.lock import ServerLock

    config = settings()
    holder = ServerLock(config.state_dir).holder()
    if holder is not None and not check:
        message = f"geo_grid is running at {holder['url']}/: stop it first (geo-grid down)"
        raise Conflict(message)
    with stoppable(until_told=False), ready_database(migrated=False) as conninfo:
        found = restore_backup(conninfo, config.state_dir, config.roads_dir, file, progress, identity, replace, check)
    what = "can be restored" if check else "is restored: start it with geo-grid up"
    say(
        f"the city of {found.made_at:%Y-%m-%d %H:%M:%S %Z} {what}; {sum(found.rows.values()):,} rows, and the audit, are whole"
    )
    if found.graph_key is not None and not found.has_graph and not check:
        say("the road graph was not in it: import the roads again (geo-grid import roads FILE)")
