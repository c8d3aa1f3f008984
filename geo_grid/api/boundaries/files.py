"""Drafts as files: export as a GeoPackage for QGIS, and import of the edited file."""

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import StreamingResponse

from geo_grid.access.audit import record_export
from geo_grid.api.boundaries.drafting import changed_apart, name_of
from geo_grid.api.boundaries.models import CHANGING, MISSING, DraftId, DraftInFull
from geo_grid.api.server.asking import account_of, apart, writing
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.boundaries.steps import Code
from geo_grid.budgets import BULK, FILES, REDRAWING
from geo_grid.errors import UnreadableFile
from geo_grid.exchange import FILE_FORMATS
from geo_grid.exchange.draft_files import export_draft_apart, import_sent_draft

router = APIRouter(prefix="/boundaries", tags=["boundaries"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

LARGEST_BODY = 256 << 20
"""Most bytes of a file; a whole city with every building takes a tenth of it."""
_GPKG = "application/geopackage+sqlite3"


@router.get(
    "/drafts/{draft_id}/file",
    response_class=StreamingResponse,
    responses=MISSING | {200: {"content": {_GPKG: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_file(
    request: Request,
    settings: Configured,
    draft_id: DraftId,
    within: Annotated[Code | None, Query(description="only this cell and what is below it")] = None,
) -> StreamingResponse:
    """Export a draft as a GeoPackage; the export is recorded in the audit first."""

    with LongAnswer.begun(request, settings) as answer, answer.folder() as folder:
        path = folder / f"draft-{draft_id}.gpkg"
        seeing_all = server_of(request).seeing_all
        rows = await apart(request, BULK, export_draft_apart, seeing_all, draft_id, path, within)
        async with writing(request) as database:  # no file leaves that is not written down
            await record_export(database, "grid_cells", "gpkg", rows, None)
        answer.adopt(path)
    return answer.sent(_GPKG, {"Content-Disposition": f'attachment; filename="{path.name}"'})


@router.post("/imports", status_code=201, response_model=DraftInFull, responses=CHANGING)
async def post_import(
    request: Request,
    settings: Configured,
    draft_id: Annotated[int, Form(ge=1, le=2**63 - 1)],
    file: Annotated[
        UploadFile, File(description="GeoPackage, GeoJSON, zipped Shapefile, FlatGeobuf, GeoParquet or KML")
    ],
    source_crs: Annotated[str | None, Form(max_length=200, description="as the file says if not given")] = None,
    match: Annotated[
        Literal["code", "overlap"], Form(description="how its cells are known: by grid_code, or by place alone")
    ] = "code",
) -> object:
    """Add the edits of a file to a draft as steps, all or none."""
    suffix = FilePath(file.filename or "").suffix.lower()
    if suffix not in FILE_FORMATS:
        message = f"{suffix or 'a file without an ending'} is of no known kind; known are {', '.join(FILE_FORMATS)}"
        raise UnreadableFile(message)
    spool = settings.state_dir / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=spool) as folder:
        path = FilePath(folder) / f"upload{suffix}"
        await FILES.run(account_of(request), _save, file, path)

        said = FilePath((file.filename or "").replace("\\", "/")).name[:200]
        return await changed_apart(
            request, draft_id, REDRAWING, import_sent_draft, path, said, name_of(request), source_crs or None, match
        )


def _save(file: UploadFile, path: FilePath) -> None:
    with path.open("wb") as out:
        while block := file.file.read(1 << 20):
            out.write(block)
