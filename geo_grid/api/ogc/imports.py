"""POST /imports: a file is validated, and its report returned; rows are stored only when the import is confirmed."""

import json
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Request, UploadFile
from pydantic import BaseModel, Field

from geo_grid.api.server.asking import account_of, apart, identity_of
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import FILES, KEEPING
from geo_grid.errors import UnreadableFile, UserError
from geo_grid.exchange import Report, uploads
from geo_grid.settings import Settings
from geo_grid.wording import Worded

router = APIRouter(tags=["imports"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

LARGEST_BODY = 256 << 20
"""Most bytes of a file; 62,000 cameras as GeoJSON take a tenth of it."""
ImportId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{22}$")]


class BadRow(BaseModel):
    """A row that cannot be imported."""

    row: int = Field(description="1 is the first row of data")
    reason: Worded


class ImportReport(BaseModel):
    """What an import would do, or did."""

    import_id: str
    file_name: str
    layer: str
    rows: int
    importable: int
    bad_row_count: int
    duplicates: int = Field(description="bad rows whose key stands in the file twice, or is stored already")
    unassigned: int | None = Field(description="importable rows that no grid cell covers")
    bad_rows: list[BadRow] = Field(description="the first 200")
    columns: list[str] = Field(description="of the file")
    fields: dict[str, str] = Field(description="column by field of the layer")
    notes: list[Worded] = Field(description="what the sender should know, such as a datum that seems mislabelled")
    datum_doubt: Worded = Field(
        description="why the coordinates seem to be in another datum, so that the confirmation has to say that it is certain; empty: they do not"
    )


class Confirmation(BaseModel):
    """Whether bad rows may be left out, and the datum is as it was said although it looks like another."""

    skip_invalid: bool = False
    crs_is_certain: bool = False


@router.post(
    "/imports",
    status_code=201,
    response_model=ImportReport,
    responses={404: PROBLEM, 405: PROBLEM | {"description": "This layer takes no files here"}},
)
async def post_import(
    request: Request,
    settings: Configured,
    file: Annotated[
        UploadFile,
        File(
            description="GeoJSON, GeoPackage, zipped Shapefile or MapInfo, FlatGeobuf, GeoParquet, KML, KMZ, GML, GPX, CSV, Excel; of cameras"
            " also a GB/T 28181 catalogue (XML) or APEs of GA/T 1400 (JSON)"
        ),
    ],
    layer: Annotated[str, Form(max_length=64)],
    source_crs: Annotated[
        str | None, Form(max_length=200, description="EPSG code, GCJ-02 or BD-09; GeoJSON needs none")
    ] = None,
    columns: Annotated[
        str, Form(max_length=4000, description="JSON object: column by field, where names differ")
    ] = "{}",
    constants: Annotated[
        str,
        Form(
            max_length=4000,
            description="JSON object: value by field, for all rows; of cameras, platform_code names the platform, and with it the datum",
        ),
    ] = "{}",
    lon_column: Annotated[str | None, Form(max_length=200)] = None,
    lat_column: Annotated[str | None, Form(max_length=200)] = None,
    datetime_format: Annotated[
        str | None, Form(max_length=100, description="how times are written where that is not plain: %d/%m/%Y %H:%M")
    ] = None,
    encoding: Annotated[
        str | None, Form(max_length=40, description="of CSV and Shapefile, if neither UTF-8 nor plainly GB 18030")
    ] = None,
    separator: Annotated[str | None, Form(max_length=3, description="between the fields of CSV")] = None,
    decimal: Annotated[str | None, Form(max_length=1, description="in numbers of CSV: a point or a comma")] = None,
    received_now: Annotated[
        bool, Form(description="rows count from now, although columns of the file look like times")
    ] = False,
) -> object:
    """Validate a file without storing rows; the report has the rows that would be imported, and each invalid row."""
    asked = uploads.Asked(
        layer, source_crs or None, _pairs(columns, "columns"), _pairs(constants, "constants"),
        lon_column or None, lat_column or None, settings.timezone,
        datetime_format or None, encoding or None, separator or None, decimal or None, received_now,
    )  # fmt: skip
    folder = _folder(settings)
    upload = await KEEPING.run(
        account_of(request),
        uploads.keep,
        folder,
        file.file,
        file.filename or "",
        identity_of(request).principal_id,
        asked,
    )
    try:
        report = await _run(request, folder, upload, Confirmation(skip_invalid=True), dry_run=True)
    except BaseException:
        uploads.forget(folder, upload)
        raise
    return uploads.as_told(upload, report)


@router.post(
    "/imports/{import_id}/confirmation",
    response_model=ImportReport,
    responses={404: PROBLEM, 409: PROBLEM},
)
async def post_confirmation(
    request: Request, settings: Configured, import_id: ImportId, confirmation: Confirmation
) -> object:
    """Import a validated file: all rows or none, unless invalid ones may be skipped."""
    folder = _folder(settings)
    upload = uploads.find(folder, import_id, identity_of(request).principal_id)
    try:
        report = await _run(request, folder, upload, confirmation, dry_run=False)
    except UnreadableFile:
        uploads.find(folder, import_id, upload.principal_id)  # unless it was confirmed meanwhile, by another request
        raise
    uploads.forget(folder, upload)
    return uploads.as_told(upload, report)


@router.delete("/imports/{import_id}", status_code=204, responses={404: PROBLEM})
async def delete_import(request: Request, settings: Configured, import_id: ImportId) -> None:
    """Delete a validated file without importing it."""
    folder = _folder(settings)
    uploads.forget(folder, uploads.find(folder, import_id, identity_of(request).principal_id))


def _folder(settings: Settings) -> FilePath:
    return settings.state_dir / "imports"


async def _run(request: Request, folder: FilePath, upload: uploads.Upload, said: Confirmation, dry_run: bool) -> Report:
    return await apart(
        request, FILES, uploads.run_apart, folder, upload, said.skip_invalid, dry_run, said.crs_is_certain
    )


def _pairs(text: str, name: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        message = f'{name} is no JSON object of texts, such as {{"name": "名称"}}'
        raise UserError(message)
    return found
