"""The program `geo-grid`: its families of commands, and how errors are told.

A command reads arguments, calls one function and prints its answer.
"""

import signal
import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from geo_grid.cli.access import audit_app, key_app, kiosk_app, user_app
from geo_grid.cli.archive import archive_app
from geo_grid.cli.backups import backups_app
from geo_grid.cli.boundaries import boundaries_app
from geo_grid.cli.calendar import calendar_app
from geo_grid.cli.cameras import cameras_app
from geo_grid.cli.circles import circles_app
from geo_grid.cli.city import city_app
from geo_grid.cli.field import field_app
from geo_grid.cli.files import files_app
from geo_grid.cli.indicators import indicators_app
from geo_grid.cli.places import places_app
from geo_grid.cli.serving import serving_app
from geo_grid.cli.terminal import log_warnings, say, say_rows
from geo_grid.errors import GeoGridError, InvalidRows, UserError, told
from geo_grid.settings import Settings

app = typer.Typer(
    help="geo_grid: the map a city's command centre runs on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for family in (serving_app, city_app, places_app, files_app, backups_app):
    app.add_typer(family)
for name, family in (
    ("archive", archive_app),
    ("circles", circles_app),
    ("boundaries", boundaries_app),
    ("indicators", indicators_app),
    ("user", user_app),
    ("key", key_app),
    ("kiosk", kiosk_app),
    ("audit", audit_app),
    ("calendar", calendar_app),
    ("field", field_app),
    ("cameras", cameras_app),
):
    app.add_typer(family, name=name)


def _version(asked: bool) -> None:
    if asked:
        from geo_grid import __version__

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
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what a command has begun is taken back
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
