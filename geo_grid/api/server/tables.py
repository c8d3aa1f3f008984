"""Figures as a table: JSON beside its definitions, or CSV, which is an export and recorded."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel

from geo_grid.access.audit import record_export
from geo_grid.api.server.asking import identity_of, writing
from geo_grid.api.server.rights import refuse
from geo_grid.defined import Defined, in_words
from geo_grid.files.formulas import csv_of

CSV = "text/csv; charset=utf-8"
FILE = {"schema": {"type": "string", "format": "binary"}}
AS_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": FILE}}}
"""What a route says of itself in OpenAPI that answers CSV too."""
Form = Annotated[Literal["json", "csv"], Query(description="csv needs the right `export`")]


async def refuse_export(request: Request, form: str) -> None:
    """Raise Forbidden if a table is asked for as a file by who may export nothing."""
    if form != "json" and "export" not in identity_of(request).rights:
        await refuse(request, "export")


async def note_export(request: Request, what: str, form: str, rows: int) -> None:
    """Record that figures left as a file: nothing leaves that is not written down."""
    async with writing(request) as database:
        await record_export(database, what, form, rows, None)


def as_file(body: str | bytes, name: str, media_type: str) -> Response:
    """Answer a file that is not kept."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(body, media_type=media_type, headers=headers)


async def as_csv(
    request: Request, what: str, rows: Sequence[BaseModel], model: type[BaseModel], definitions: Sequence[Defined]
) -> Response:
    """Answer rows as CSV, a column for each field of their model, and one for what they mean, told in the first row; it is recorded."""
    names = list(model.model_fields)
    table = [[*(getattr(row, name) for name in names), ""] for row in rows]
    if table:
        table[0][-1] = in_words(definitions)
    body = csv_of([[*names, "definitions"], *table])
    await note_export(request, what, "csv", len(rows))
    return as_file(body, f"{what}.csv", CSV)
