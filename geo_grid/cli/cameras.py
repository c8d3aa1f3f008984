"""`geo-grid cameras`: ids in words, source platforms, states, and what cameras see."""

import getpass
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geo_grid.cli.access import as_owner
from geo_grid.cli.terminal import Json, checked, progress, ready_database, say
from geo_grid.errors import UserError
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection

cameras_app = typer.Typer(help="Cameras: ids, source platforms, states, what they see.", no_args_is_help=True)


class By(StrEnum):
    """What cameras are counted by."""

    CELL = "cell"
    ZONE = "zone"
    OWNER = "owner"
    NETWORK = "network"
    HOUR = "hour"


@cameras_app.command("id")
def explain(
    gb28181_id: Annotated[str, typer.Argument(help="20 digits.")],
    as_json: Json = False,
) -> None:
    """Explain a device id of GB/T 28181, part by part; nothing is asked of the database."""
    from geo_grid.cameras.register import explain_id

    told = explain_id(gb28181_id)
    if as_json:
        print(told.model_dump_json())
        return
    print(f"county    {told.division_code}\nstation   {told.station}")
    for name, part in (("industry", told.industry), ("type", told.type), ("network", told.network)):
        print(f"{name:9} {part.code}  {part.zh} {part.en}".rstrip())
    print(f"serial    {told.serial}")
    for warning in told.warnings:
        say(f"note: {warning}")


@cameras_app.command("platform")
def platform(
    code: Annotated[str, typer.Argument(help="Code of the platform: letters, digits, dots, underscores, hyphens.")],
    name: Annotated[str, typer.Argument(help="What people call it.")],
    source_crs: Annotated[str, typer.Option(help="EPSG code, GCJ-02 or BD-09: the datum of its coordinates.")],
    gb28181_id: Annotated[str | None, typer.Option(help="20 digits: what it registers as over SIP.")] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it may register over SIP.")] = None,
    crs_is_certain: Annotated[
        bool | None,
        typer.Option(
            "--crs-is-certain/--crs-is-likely",
            help="Whether its coordinates are in that datum although they look like another.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say of a source platform what it is called, which datum its coordinates are in, and whether it may register."""
    from geo_grid.cameras.platforms import Platform, PlatformGiven, describe_platform, platforms

    async def describe(connection: "AsyncConnection") -> Platform:
        known = next((one for one in await platforms(connection) if one.platform_code == code), None)
        sip_id = gb28181_id or (known.gb28181_id if known else None)
        may = enable if enable is not None else known is not None and known.is_enabled
        is_certain = (
            crs_is_certain
            if crs_is_certain is not None
            else known is not None and known.is_crs_certain and known.source_crs == source_crs
        )
        given = checked(
            PlatformGiven,
            name=name,
            source_crs=source_crs,
            gb28181_id=sip_id,
            is_enabled=may,
            is_crs_certain=is_certain,
        )
        return await describe_platform(connection, code, given, settings().sip_id)

    with ready_database() as conninfo:
        made = as_owner(conninfo, describe)
    if as_json:
        print(made.model_dump_json())
        return
    door = f"; may register as {made.gb28181_id}" if made.is_enabled else ""
    say(f"{made.platform_code} {made.name}: coordinates in {made.source_crs}, {made.cameras} cameras{door}")


@cameras_app.command("platforms")
def list_platforms(as_json: Json = False) -> None:
    """List the source platforms."""
    from geo_grid.cameras.platforms import platforms

    with ready_database() as conninfo:
        found = as_owner(conninfo, platforms)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    for one in found:
        never = "never came" if one.is_enabled else ""
        link = never if one.link is None else f"{'online' if one.link.is_online else 'away'}  {one.link.trouble}"
        print(
            f"{one.platform_code}  {one.name}  {one.source_crs}  {one.cameras} cameras  {link}  {one.datum_note}".rstrip()
        )


@cameras_app.command("query")
def query(code: Annotated[str, typer.Argument(help="Code of the platform.")], as_json: Json = False) -> None:
    """Have the catalogue of a platform queried again, over SIP, as soon as it is there."""
    from geo_grid.cameras.platforms import ask_again

    with ready_database() as conninfo:
        asked = as_owner(conninfo, lambda connection: ask_again(connection, code))
    if as_json:
        print(asked.model_dump_json())
        return
    say(f"{asked.platform_code} is asked for its catalogue: geo-grid cameras platforms says how it comes")


@cameras_app.command("listen")
def listen_command(
    lifeline: Annotated[int | None, typer.Option(hidden=True, help="Descriptor of the line to the supervisor.")] = None,
) -> None:
    """Listen to lower platforms (GB/T 28181 over SIP) until Ctrl-C; `geo-grid up` does it by itself."""
    from geo_grid.cli.listening import listen

    listen(lifeline)


@cameras_app.command("proposals")
def list_proposals(
    after: Annotated[int, typer.Option(min=0, help="Continue after this proposal.")] = 0,
    as_json: Json = False,
) -> None:
    """List what imports propose about cameras, for a decision: the oldest 500, and how many there are in all."""
    from geo_grid.cameras.proposals import proposals, waiting

    with ready_database() as conninfo:
        found = as_owner(conninfo, lambda connection: proposals(connection, after=after))
        counts = as_owner(conninfo, waiting)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    for group in counts:
        say(f"{group.count:,} {group.proposal_kind} from {group.source}")
    for one in found:
        other = one.other_id or one.national_id or ""
        print(
            f"{one.proposal_id}  {one.proposal_kind}  {one.gb28181_id}  {one.name}  {other}  {one.distance_m:.0f} m  {one.source}"
        )


@cameras_app.command("decide")
def decide_proposal(
    proposal_id: Annotated[int, typer.Argument(min=1, help="Number of the proposal.")],
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="Do what is proposed, or leave it as it is.")],
    as_json: Json = False,
) -> None:
    """Accept or refuse a proposal about a camera."""
    from geo_grid.cameras.proposals import decide

    who = f"{getpass.getuser()}@command-line"
    with ready_database() as conninfo:
        done = as_owner(conninfo, lambda connection: decide(connection, proposal_id, accept, who))
    if as_json:
        print(done.model_dump_json())
        return
    say(f"proposal {done.proposal_id} about {done.gb28181_id} was {'accepted' if done.is_accepted else 'refused'}")


@cameras_app.command("decide-all")
def decide_proposals(
    kind: Annotated[str, typer.Argument(help="moved, national_id or duplicate.")],
    source: Annotated[str, typer.Argument(help="Whose register, or which file, as geo-grid cameras proposals has it.")],
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="Do what is proposed, or leave it as it is.")],
    as_json: Json = False,
) -> None:
    """Accept or refuse all proposals of a kind and a source that wait, at most 5,000 at once."""
    from geo_grid.cameras.proposals import DecisionOfAll, decide_all

    asked = checked(DecisionOfAll, proposal_kind=kind, source=source, is_accepted=accept)
    who = f"{getpass.getuser()}@command-line"
    with ready_database() as conninfo:
        done = as_owner(conninfo, lambda connection: decide_all(connection, asked, who))
    if as_json:
        print(done.model_dump_json())
        return
    say(f"{done.decided:,} proposals were {'accepted' if accept else 'refused'}; {done.left:,} of that kind wait still")


@cameras_app.command("states")
def take(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with the columns gb28181_id, state (online, offline, fault) and, if known, since."),
    ],
    as_json: Json = False,
) -> None:
    """Take the states of cameras from a file, as POST /cameras/states does."""
    from geo_grid.cameras.states import TakenStates, write_states
    from geo_grid.db import connect
    from geo_grid.exchange.states import read_states
    from geo_grid.reported import MOST_AT_ONCE

    reports = read_states(file)
    total = TakenStates(changed=0, same=0, late=0, refused=[])
    with ready_database() as conninfo, connect(conninfo) as connection, progress("states", len(reports)) as advance:
        for start in range(0, len(reports), MOST_AT_ONCE):
            part = write_states(connection, reports[start : start + MOST_AT_ONCE])
            for one in part.refused:
                one.number += start
            total = TakenStates(
                changed=total.changed + part.changed,
                same=total.same + part.same,
                late=total.late + part.late,
                refused=[*total.refused, *part.refused],
            )
            advance(min(MOST_AT_ONCE, len(reports) - start))
    if as_json:
        print(total.model_dump_json())
        return
    for one in total.refused[:100]:
        say(f"row {one.number}: {one.reason}")
    say(
        f"{total.changed} cameras changed, {total.same} are as known, {total.late} reports are old, {len(total.refused)} refused"
    )


@cameras_app.command("availability")
def show_availability(
    by: Annotated[By, typer.Option(help="What cameras are counted by; hour: the last 24.")] = By.OWNER,
    level: Annotated[int | None, typer.Option(min=1, max=9, help="Of cells; the innermost if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Count cameras that are online, offline, faulty or not reported on."""
    from geo_grid.cameras.states import availability

    with ready_database() as conninfo:
        groups = as_owner(conninfo, lambda connection: availability(connection, by.value, level, None, None))
    if as_json:
        print(json.dumps([one.model_dump() for one in groups], ensure_ascii=False))
        return
    if not groups:
        message = "there are no cameras"
        raise UserError(message)
    for one in groups:
        print(
            f"{one.key or '-'}  {one.name or ''}  {one.cameras} cameras: {one.online:g} online, {one.offline:g} offline,"
            f" {one.fault:g} faulty, {one.unknown:g} unknown"
        )


@cameras_app.command("views")
def draw_views(as_json: Json = False) -> None:
    """Work out now what cameras see, and how much of each cell; a server that runs does it by itself."""
    from geo_grid.cameras.coverage import update_coverage
    from geo_grid.cameras.views import update_views
    from geo_grid.db import connect
    from geo_grid.own_work import usual_sight

    with ready_database() as conninfo, connect(conninfo) as connection:
        with progress("what cameras see") as advance:
            done, _ = update_views(connection, usual_sight(settings()), advance)
        with progress("coverage of cells") as advance:
            cells = update_coverage(connection, advance)
    if as_json:
        print(json.dumps({**done.model_dump(), "cells": cells}))
        return
    say(
        f"{done.drawn} views worked out, {done.cut} of them cut by buildings, {done.cleared} taken away; {cells} cells covered"
    )


@cameras_app.command("coverage")
def show_coverage(
    level: Annotated[int | None, typer.Option(min=1, max=9, help="Of cells; the innermost if not given.")] = None,
    within: Annotated[str | None, typer.Option(help="Only within this cell.")] = None,
    most: Annotated[int, typer.Option(min=1, max=5000, help="So many, the least seen first.")] = 50,
    as_json: Json = False,
) -> None:
    """Say how much of each cell cameras see, least first; secret cameras do not count."""
    from geo_grid.cameras.coverage import coverage

    with ready_database() as conninfo:
        found = as_owner(conninfo, lambda connection: coverage(connection, level, within, most))
    if as_json:
        print(found.model_dump_json())
        return
    if found.computed_at is None:
        message = "the coverage was not worked out yet: run geo-grid cameras views, or wait for the server"
        raise UserError(message)
    for one in found.cells:
        print(
            f"{one.share:6.1%}  {one.grid_code}  {one.name or ''}  {one.cameras} cameras  {one.twice_m2 / one.cell_m2:.1%} twice"
        )
