"""`geo-grid circles`: drawing response circles, and what their tiers are made of."""

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geo_grid.cli.terminal import Json, compile_loops, progress, ready_database, say
from geo_grid.settings import settings

circles_app = typer.Typer(help="Response circles.", no_args_is_help=True)


class Basis(StrEnum):
    """What the minutes of a circle are about."""

    PLACE_TIER = "place_tier"
    FORCE_TIER = "force_tier"
    PHASE = "phase"


class Direction(StrEnum):
    """From the post to places, or from places to it."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


@circles_app.command("build")
def build() -> None:
    """Build the 1-, 3- and 5-minute circles of every police post again."""
    from geo_grid.db import connect
    from geo_grid.response import Router, Travel, build_circles, find_graph, imported_graph, read_conditions

    config = settings()
    travel = Travel.of(config)
    compile_loops()
    with ready_database() as conninfo, connect(conninfo) as connection:
        graph = find_graph(config.roads_dir, imported_graph(connection))
        conditions = read_conditions(connection, travel, graph)
        with (
            Router.opened(graph, travel.estimate, config.response_workers, config.response_timeout_s) as router,
            progress("response circles") as advance,
        ):
            built = build_circles(connection, router, conditions, progress=advance)
    say("circles built: " + (", ".join(f"{count} by {method}" for method, count in built.made.items()) or "none"))
    if built.unanswered:
        count, limit = len(built.unanswered), config.response_timeout_s
        say(
            f"{count} posts got no answer in time and keep the circles they had (estimates where they had none): "
            f"{', '.join(built.unanswered[:10])}{' …' if count > 10 else ''}; try again, or allow more than "
            f"GEO_GRID_RESPONSE_TIMEOUT_S={limit:g}"
        )
        raise typer.Exit(1)
    if graph is None:
        say("no road graph is here, so they are estimates: geo-grid import roads FILE.osm.pbf builds one")


@circles_app.command("rules")
def rules(as_json: Json = False) -> None:
    """Show what each tier is made of: seconds until somebody is sent, until they leave, and on the road."""
    from geo_grid.db import connect
    from geo_grid.response.rules import read_rules

    with ready_database() as conninfo, connect(conninfo) as connection:
        found = [{"circle_basis": basis, **rule} for basis, tiers in read_rules(connection).items() for rule in tiers]
    if as_json:
        print(json.dumps(found))
        return
    table = Table("basis", "minutes", "direction", "dispatch s", "turnout s", "travel s", box=None)
    for rule in found:
        table.add_row(*map(str, rule.values()))
    Console().print(table)


@circles_app.command("rule")
def rule(
    basis: Annotated[Basis, typer.Argument(help="Of which kind of circles.")],
    tier_minutes: Annotated[int, typer.Argument(help="Which tier: 1, 3 or 5.")],
    dispatch: Annotated[int | None, typer.Option(min=0, help="Seconds until somebody is sent.")] = None,
    turnout: Annotated[int | None, typer.Option(min=0, help="Seconds until they leave.")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Of all tiers of this basis.")] = None,
) -> None:
    """Change what a tier is made of; a server draws the circles again by itself, else `circles build` does."""
    from geo_grid.db import connect
    from geo_grid.response.rules import change_rule

    with ready_database() as conninfo, connect(conninfo) as connection:
        travel_s = change_rule(connection, basis, tier_minutes, dispatch, turnout, direction)
    say(f"{basis}, {tier_minutes} minutes: {travel_s} s on the road")
