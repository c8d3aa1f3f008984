"""Where looking ends and handing out begins: files, and long pages, need the right `export` and are written down.

Whoever may look at a layer reads it as GeoJSON, in pages of at most a thousand features, as maps and map programs
do. Every other form is a file in all but name, and so is a longer page.
"""

from fastapi import Request

from geo_grid.access.audit import record_export
from geo_grid.api.server.asking import identity_of, writing
from geo_grid.api.server.rights import refuse

LOOKED_AT = 1_000
"""Features on one page of GeoJSON that nobody takes for an export."""


async def page_size(request: Request, wanted: int, is_file: bool) -> int:
    """Return how many features whoever asks gets at once; the rest is where the link `next` leads.

    Raises
    ------
    Forbidden
        A file is wanted, and the right `export` is missing.
    """
    if "export" in identity_of(request).rights:
        return wanted
    if is_file:
        await refuse(request, "export")
    return min(wanted, LOOKED_AT)


async def note_handed_out(request: Request, layer: str, form: str, rows: int, is_file: bool) -> None:
    """Write down what leaves, before it does; what is only looked at is not."""
    if not is_file and rows <= LOOKED_AT:
        return
    async with writing(request) as database:
        await record_export(database, layer, form, rows, request.query_params.get("bbox"))
