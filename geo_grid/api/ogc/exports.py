"""GET /collections/{layer}/export: a whole layer as a file, recorded in the audit."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from geo_grid.access.audit import record_export
from geo_grid.api.server.asking import apart, identity_of, writing
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import AnswerCrs, Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.budgets import BULK
from geo_grid.exchange import export_apart
from geo_grid.layers import find_layer
from geo_grid.layers.published import CGCS2000, SHIFTED

router = APIRouter(tags=["collections"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class Form(StrEnum):
    """Kinds of files."""

    GEOJSON = "geojson"
    GPKG = "gpkg"
    FLATGEOBUF = "fgb"
    GEOPARQUET = "parquet"
    KML = "kml"
    CSV = "csv"
    EXCEL = "xlsx"


_MEDIA = {
    Form.GEOJSON: "application/geo+json",
    Form.GPKG: "application/geopackage+sqlite3",
    Form.FLATGEOBUF: "application/flatgeobuf",
    Form.GEOPARQUET: "application/vnd.apache.parquet",
    Form.KML: "application/vnd.google-earth.kml+xml",
    Form.CSV: "text/csv; charset=utf-8",
    Form.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FILE = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/collections/{layer}/export",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file", "content": {media.partition(";")[0]: _FILE for media in _MEDIA.values()}},
        404: PROBLEM,
    },
)
async def get_export(
    request: Request,
    settings: Configured,
    layer: Annotated[str, Path(max_length=64)],
    f: Annotated[Form, Query(description="kind of file")] = Form.GEOJSON,
    crs: AnswerCrs = "EPSG:4490",
    for_excel: Annotated[bool, Query(description="of csv: with a byte order mark, by which Excel knows UTF-8")] = False,
    texts: Annotated[
        bool, Query(description="with private columns (description and address); needs the right incidents.text")
    ] = False,
) -> StreamingResponse:
    """Export what whoever asks may see of a layer, in CGCS2000 or as `crs` says, which the column `source_crs` names then; who exported what is recorded first."""
    is_private = texts and bool(find_layer(layer).private)
    if is_private and "incidents.text" not in identity_of(request).rights:
        await refuse(request, "incidents.text")
    with LongAnswer.begun(request, settings) as answer, answer.folder() as folder:
        shift = "" if crs == "EPSG:4490" else crs
        path = folder / f"{layer}{'-' + shift if shift else ''}.{f}"
        rows = await apart(request, BULK, export_apart, layer, path, shift, for_excel, texts, is_heavy=True)
        async with writing(request) as database:  # no file leaves that is not written down
            await record_export(database, layer, f"{f}+texts" if is_private else f.value, rows, None)
        answer.adopt(path)
    named = SHIFTED[crs].uri if shift else CGCS2000.uri
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"', "Content-Crs": f"<{named}>"}
    return answer.sent(_MEDIA[f], headers)
