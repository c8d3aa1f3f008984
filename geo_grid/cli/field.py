"""`geo-grid field`: which account is which grid worker, and who kept the norm of visits."""

import json
import sys
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from geo_grid.cli.access import as_owner
from geo_grid.cli.terminal import Form, Json, checked, ready_database, say
from geo_grid.settings import settings

field_app = typer.Typer(help="Grid workers, and the norm of their visits.", no_args_is_help=True)


class Key(StrEnum):
    """What rows are of."""

    WORKER = "worker"
    CELL = "cell"


@field_app.command("name")
def name(
    account: Annotated[str, typer.Argument(help="Login name of an account that may record visits.")],
    person: Annotated[str, typer.Argument(help="Name on the duty roster.")],
    phone: Annotated[str, typer.Option(help="Duty telephone, as the roster has it.")] = "",
    as_json: Json = False,
) -> None:
    """Say which person of the duty roster an account is."""
    from geo_grid.field import WorkerPerson, name_worker

    given = WorkerPerson(person_name=person, phone=phone)
    with ready_database() as conninfo:
        worker = as_owner(conninfo, lambda connection: name_worker(connection, account, given))
    if as_json:
        print(worker.model_dump_json())
        return
    say(f"{worker.login_name} is {worker.person_name}: {', '.join(worker.grid_codes)}")


@field_app.command("workers")
def list_workers(as_json: Json = False) -> None:
    """List which accounts are which persons of the duty roster."""
    from geo_grid.field import workers

    with ready_database() as conninfo:
        found = as_owner(conninfo, workers)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    for one in found:
        print(f"{one.login_name}  {one.person_name}  {one.phone}  {' '.join(one.grid_codes)}")


@field_app.command("norms")
def show_norms(
    by: Annotated[Key, typer.Option(help="What each row is of.")] = Key.WORKER,
    begins: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="A day of the first week; four weeks ago if not given."),
    ] = None,
    ends: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="A day of the last week; the last one if not given."),
    ] = None,
    level: Annotated[int | None, typer.Option(help="Level of the cells; those of the duties if not given.")] = None,
    within: Annotated[str | None, typer.Option(help="Only duties in this cell and what it contains.")] = None,
    weekly: Annotated[bool, typer.Option("--weekly", help="One row for each week.")] = False,
    form: Annotated[Form, typer.Option("--format", help="How it is written to stdout.")] = Form.CSV,
) -> None:
    """Write which grid managers kept the norm of visits, and what that means."""
    from geo_grid.field import NormsQuestion, norms, norms_as_csv

    config = settings()
    question = checked(
        NormsQuestion, by=by.value, begins=_day(begins), ends=_day(ends), level=level, within=within, weekly=weekly
    )
    today = datetime.now(ZoneInfo(config.timezone)).date()
    with ready_database() as conninfo:
        answer = as_owner(conninfo, lambda connection: norms(connection, question, today, config.timezone))
    sys.stdout.write(norms_as_csv(answer) if form is Form.CSV else answer.model_dump_json(by_alias=True) + "\n")


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None
