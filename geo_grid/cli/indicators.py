"""`geo-grid indicators`: what a city reports of its incidents, as figures and as a monthly report."""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from geo_grid.cli.access import as_owner
from geo_grid.cli.terminal import Form, progress, ready_database, say
from geo_grid.errors import UnwritableFile, UserError
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection

indicators_app = typer.Typer(help="Indicators of incidents, each with its definition.", no_args_is_help=True)


class Language(StrEnum):
    """Language of a report."""

    ZH = "zh"
    EN = "en"


def _now() -> datetime:
    return datetime.now(ZoneInfo(settings().timezone))


def _in_one_snapshot[T](conninfo: str, work: Callable[["AsyncConnection"], Awaitable[T]]) -> T:
    from psycopg import IsolationLevel

    async def read(connection: "AsyncConnection") -> T:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        return await work(connection)

    return as_owner(conninfo, read)


@indicators_app.command("list")
def list_() -> None:
    """List the indicators, what each means, and the groups of categories that are counted together."""
    from geo_grid.indicators import DEFINITIONS, list_groups

    for one in DEFINITIONS.values():
        print(f"{one.code}  {one.name_zh} {one.name_en} ({one.unit}): {one.definition_en}")
    with ready_database() as conninfo:
        for group in as_owner(conninfo, list_groups):
            parts = ", ".join(f"{one['category']} {one['subtype']}".strip() for one in group["members"] or ())
            print(f"group {group['group_code']}  {group['name_zh']} {group['name_en']}: {parts}")


@indicators_app.command("show")
def show(
    indicator: Annotated[list[str] | None, typer.Argument(help="Codes, as `indicators list` names them; all.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="cell, zone or unit; category or group; day, week, month or year; repeatable."),
    ] = None,
    level: Annotated[int | None, typer.Option(help="Grid level of the cells; the leaf cells if not given.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help="Received then or later: 2026-10-01.")] = None,
    ends: Annotated[str | None, typer.Option("--to", help="Received before: 2026-11-01.")] = None,
    edition: Annotated[
        str, typer.Option(help="then: cells as stored with incidents; now: as boundaries are in force.")
    ] = "then",
    within: Annotated[str | None, typer.Option(help="Only this cell and what it contains.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Code or name; repeatable.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group of categories; repeatable.")] = None,
    rank: Annotated[str | None, typer.Option(help="Rank the rows by this indicator.")] = None,
    min_n: Annotated[int | None, typer.Option(help="Rows of fewer incidents are not ranked.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How it is written to stdout.")] = Form.CSV,
) -> None:
    """Write indicators of the incidents of a time, this month if not given, to stdout."""
    from geo_grid.indicators import Question, as_csv, make_answer, read_facts, read_question

    given: dict[str, Any] = {
        "indicators": indicator, "by": by, "level": level, "from": begins, "to": ends, "edition": edition, "within": within,
        "category": category, "group": group, "rank": rank, "min_n": min_n,
    }  # fmt: skip
    question = read_question(Question, {name: value for name, value in given.items() if value is not None})
    now, zone = _now(), settings().timezone
    with ready_database() as conninfo:
        facts = _in_one_snapshot(conninfo, lambda connection: read_facts(connection, question, now, zone))
    answer = make_answer(facts)
    sys.stdout.write(
        as_csv(answer) if form is Form.CSV else answer.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
    )


@indicators_app.command("report")
def report(
    out: Annotated[Path, typer.Option(help="A .pdf or .html to write.")],
    month: Annotated[str | None, typer.Option(help="2026-10; the last one that is over if not given.")] = None,
    level: Annotated[int | None, typer.Option(help="Grid level of its maps; the first if not given.")] = None,
    lang: Annotated[Language, typer.Option(help="Its language.")] = Language.ZH,
) -> None:
    """Write the report of a month, with maps."""
    from geo_grid.indicators import as_html, as_pdf, month_report, read_month

    if out.suffix.lower() not in (".pdf", ".html"):
        message = f"{out} is neither a .pdf nor an .html: name what is to be written so"
        raise UserError(message)
    config, now = settings(), _now()
    with ready_database() as conninfo, progress("reading"):
        facts = _in_one_snapshot(
            conninfo, lambda connection: read_month(connection, month, level, now, config.timezone)
        )
    with progress("writing"):
        made = month_report(facts, config.city_name_zh if lang == "zh" else config.city_name_en, lang.value)
        body = as_pdf(made) if out.suffix.lower() == ".pdf" else as_html(made).encode()
    try:
        out.write_bytes(body)
    except OSError as error:
        message = f"{out} cannot be written: {error.strerror}"
        raise UnwritableFile(message) from None
    say(f"the report of {facts.month} is in {out}")
