"""`geo-grid calendar`: which days are worked."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geo_grid.cli.terminal import Json, ready_database, say
from geo_grid.settings import settings

calendar_app = typer.Typer(help="Working days, which deadlines are reckoned with.", no_args_is_help=True)
Year = Annotated[int, typer.Argument(min=1700, max=2199, help="Which year.")]


@calendar_app.command("list")
def list_days(
    year: Annotated[int | None, typer.Argument(min=1700, max=2199, help="Which year; all if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Show the years that are kept, or the days of one that are not what their weekday says."""
    from geo_grid.db import connect
    from geo_grid.workflow.working_time import exceptions, years

    with ready_database() as conninfo, connect(conninfo) as connection:
        found = exceptions(connection, year) if year is not None else years(connection)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    names = list(found[0].model_dump()) if found else ["nothing is kept: geo-grid calendar seed YEAR"]
    table = Table(*names, box=None)
    for one in found:
        table.add_row(*map(str, one.model_dump().values()))
    Console().print(table)


@calendar_app.command("seed")
def seed(
    year: Year,
    over: Annotated[bool, typer.Option("--over-edits", help="Write the days that somebody set too.")] = False,
) -> None:
    """Fill a year in as the package chinesecalendar knows it; one it does not know is provisional."""
    from geo_grid.db import connect
    from geo_grid.workflow.working_time import fill_year, is_announced, reckon

    with ready_database() as conninfo, connect(conninfo) as connection:
        changed = fill_year(connection, year, over)
        if changed:
            reckon(connection, settings().timezone)
    how = "" if is_announced(year) else "; it is not announced yet: Monday to Friday are taken, provisionally"
    say(f"{year}: {changed} days changed{how}")


@calendar_app.command("import")
def import_file(file: Annotated[Path, typer.Argument(help="CSV: day,is_working and maybe name_zh,name_en.")]) -> None:
    """Set days from a file, such as the holidays and make-up days of an announcement."""
    from geo_grid.db import connect
    from geo_grid.errors import UnreadableFile
    from geo_grid.workflow.working_time import import_days, reckon

    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None
    with ready_database() as conninfo, connect(conninfo) as connection:
        found = import_days(connection, content)
        reckon(connection, settings().timezone)
    say(f"the days of {', '.join(map(str, found))} are set, and deadlines follow them")
