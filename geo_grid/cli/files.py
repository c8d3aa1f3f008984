"""`geo-grid import` and `geo-grid export`: the rows of a layer, from a file and to one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geo_grid.cli.terminal import Json, progress, ready_database, say, say_rows
from geo_grid.errors import UserError
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.exchange import Report

files_app = typer.Typer()
SourceCrs = Annotated[str | None, typer.Option(help="EPSG code, GCJ-02 or BD-09; required unless the file is GeoJSON.")]


def _pairs(texts: list[str], flag: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            message = f"{flag} {text!r}: write it as FIELD=VALUE"
            raise UserError(message)
        pairs[name] = value
    return pairs


@files_app.command("import")
def import_(
    layer: Annotated[str, typer.Argument(help="Name of a layer.")],
    file: Annotated[
        Path,
        typer.Argument(
            help="GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet, KML, KMZ, MapInfo TAB and MIF, GML, GPX, ESRI"
            " JSON, TopoJSON; CSV or Excel with lon and lat columns or one of WKT;"
            " for cameras also a GB/T 28181 catalogue (.xml) or APEs of GA/T 1400 (.json);"
            " for roads also an OpenStreetMap extract (.osm.pbf, .osm), which brings the base map along."
        ),
    ],
    source_crs: SourceCrs = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FIELD=COLUMN, where the file's name differs; repeatable.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(help="Of cameras: the source platform, whose datum it is in; what is stored already is compared."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE for all rows; repeatable.")] = None,
    lon_column: Annotated[str | None, typer.Option(help="Column of longitudes or eastings in a CSV file.")] = None,
    lat_column: Annotated[str | None, typer.Option(help="Column of latitudes or northings in a CSV file.")] = None,
    datetime_format: Annotated[
        str | None, typer.Option(help="How times are written where that is not plain, such as %d/%m/%Y %H:%M.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of CSV and Shapefile, where it is neither UTF-8 nor plainly GB 18030.")
    ] = None,
    separator: Annotated[str | None, typer.Option(help="Between the fields of CSV: , ; | or tab.")] = None,
    decimal: Annotated[str | None, typer.Option(help="In numbers of CSV: a point or a comma.")] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Import the good rows; name the others.")
    ] = False,
    fit_parents: Annotated[
        float | None,
        typer.Option(min=0, help="Metres: re-cut parent cells to their children when they are this near."),
    ] = None,
    received_now: Annotated[
        bool, typer.Option("--received-now", help="Rows count from now, although columns look like times.")
    ] = False,
    heal: Annotated[
        float,
        typer.Option(
            min=0, help="Metres: gaps and overlaps of boundaries that are no wider are closed, and told; 0: none."
        ),
    ] = 0.01,
    crs_is_certain: Annotated[
        bool,
        typer.Option(
            "--crs-is-certain", help="The coordinates are in the datum that is said, although they look like another."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Tell what would happen, and change nothing; exit code 2 if it would be refused."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a file into a layer: all rows or none, unless --skip-invalid."""
    from geo_grid.db import connect
    from geo_grid.exchange import Mapping, Spelling, import_file, is_osm
    from geo_grid.layers import find_layer

    found = find_layer(layer)
    if is_osm(file):
        _import_osm(layer, file, dry_run, as_json)
        return
    constants = _pairs(set_ or [], "--set") | ({"platform_code": platform} if platform is not None else {})
    mapping = Mapping(
        _pairs(column or [], "--column"), constants, lon_column, lat_column,
        datetime_format, Spelling(encoding, separator, decimal),
    )  # fmt: skip
    with ready_database() as conninfo, connect(conninfo) as connection:
        report = import_file(
            connection,
            found,
            file,
            progress,
            source_crs,
            mapping,
            skip_invalid,
            fit_parents,
            settings().timezone,
            dry_run,
            received_now=received_now,
            heal_m=heal,
            crs_is_certain=crs_is_certain,
        )
    if as_json:
        told = {**vars(report), "skipped": [{"row": r, "reason": why} for r, why in report.skipped]}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _say_report(report, dry_run, skip_invalid)
    if dry_run and report.is_refused:
        raise typer.Exit(2)  # as the import itself


def _say_report(report: "Report", dry_run: bool, skip_invalid: bool) -> None:
    say_rows(report.skipped)
    for note in report.notes:
        say(f"note: {note}")
    if report.duplicates:
        say(f"{report.duplicates} of the rows left out are duplicates: in the file twice, or stored already")
    outside = "" if report.unassigned is None else f", {report.unassigned} of them outside every grid cell"
    of_rows = f"{report.imported} of {report.rows} rows"
    if dry_run:
        refused = report.skipped and not skip_invalid
        ending = "; as it is, the import would be refused (--skip-invalid imports the others)" if refused else ""
        say(f"{of_rows} could be imported into {report.layer}{outside}{ending}; nothing was changed")
    else:
        say(f"{of_rows} imported into {report.layer}{outside}")


def _import_osm(layer: str, file: Path, dry_run: bool, as_json: bool) -> None:
    from geo_grid.db import connect
    from geo_grid.exchange import import_osm, stored_extent

    if layer != "roads":
        message = f"an OpenStreetMap extract is imported with: geo-grid import roads {file.name}"
        raise UserError(message)
    with ready_database() as conninfo, connect(conninfo) as connection:
        config = settings()
        report = import_osm(
            connection, file, progress, stored_extent(connection), dry_run,
            roads_dir=config.roads_dir, road_speeds=config.response_road_speeds,
        )  # fmt: skip
    if as_json:
        print(json.dumps(vars(report), default=str))
        return
    for why, count in report.left_out.items():
        say(f"{count} objects left out: {why}")
    ending = "could be imported; nothing was changed" if dry_run else "imported, in place of those before"
    say(f"{report.roads} roads and {report.base_features} base map features {ending}")


@files_app.command()
def export(
    layer: Annotated[str, typer.Argument(help="Name of a layer.")],
    file: Annotated[Path, typer.Argument(help="Ending .geojson, .gpkg, .shp, .fgb, .parquet, .kml, .csv or .xlsx.")],
    crs: Annotated[str, typer.Option(help="EPSG:4490; GCJ-02 or BD-09 to draw on maps of these.")] = "EPSG:4490",
    for_excel: Annotated[
        bool, typer.Option("--for-excel", help="CSV that Excel opens with its Chinese intact: with a byte order mark.")
    ] = False,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="Of incidents: what was said, and the address, which are left out.")
    ] = False,
) -> None:
    """Export the rows of a layer that are in force, in CGCS2000 unless --crs says otherwise."""
    from geo_grid.china_datums import NAMES
    from geo_grid.db import connect
    from geo_grid.exchange import export_file
    from geo_grid.layers import find_layer

    shift = "" if crs.upper() == "EPSG:4490" else crs.upper()
    if shift and shift not in NAMES:
        message = f"{crs!r} is not offered: EPSG:4490, {', '.join(NAMES)}"
        raise UserError(message)
    found = find_layer(layer)
    with ready_database() as conninfo, connect(conninfo) as connection, progress(f"exporting {layer}"):
        count = export_file(connection, found, file, shift, for_excel, with_texts)
    say(f"{count} rows of {layer} written to {file}{', in ' + shift if shift else ''}")
    if file.suffix.lower() == ".shp":
        say("note: a Shapefile cuts names of columns to ten letters; an import matches them again")
