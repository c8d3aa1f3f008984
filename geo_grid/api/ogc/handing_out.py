"""Which answers count as an export: those need the right `export`, and are recorded in the audit.

GeoJSON in pages of at most a thousand features, as maps and GIS programs read it, needs only the right to view a layer.
Every other format, and every longer page, is an export.
"""

from fastapi import Request

from geo_grid.access.audit import record_export
from geo_grid.api.server.asking import identity_of, writing
from geo_grid.api.server.rights import refuse

LOOKED_AT = 1_000
"""Most features of a page of GeoJSON that is no export."""


async def page_size(request: Request, wanted: int, is_file: bool) -> int:
    """Return the number of features on a page, at most `wanted`; the link `next` leads to the rest.

    Raises
    ------
    Forbidden
        The format is a file, and the principal has no right `export`.
    """
    if "export" in identity_of(request).rights:
        return wanted
    if is_file:
        await refuse(request, "export")
    return min(wanted, LOOKED_AT)


async def note_handed_out(request: Request, layer: str, form: str, rows: int, is_file: bool) -> None:
    """Record an export in the audit, before it is sent; answers that are no export are not recorded."""
    if not is_file and rows <= LOOKED_AT:
        return
    async with writing(request) as database:
        await record_export(database, layer, form, rows, request.query_params.get("bbox"))
