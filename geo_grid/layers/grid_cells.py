"""Grid cells: the hierarchy of polygons that people are responsible for."""

from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.db import AsyncConnection, fetch_one
from geo_grid.errors import UserError
from geo_grid.layers.layer import MOST_COUNTED, Layer, LayerRow, Name


class GridCellRow(LayerRow):
    """One grid cell. The parent is found by place when it is not named."""

    grid_code: str = Field(min_length=1, max_length=32)
    grid_level: int = Field(ge=1, le=9)
    code_scheme: str | None = None
    parent_code: str | None = None
    name: Name = Field(min_length=1, max_length=200)
    cell_kind: Literal["division", "basic", "dedicated"] = "basic"
    household_count: int | None = Field(None, ge=0, le=MOST_COUNTED)
    households_estimated: bool = Field(
        False, description="the number was shared out by area when ground was divided; nobody counted it"
    )

    defaults: ClassVar[dict[str, str]] = {"name": "grid_code"}


LAYER = Layer(
    name="grid_cells",
    title_zh="网格",
    title_en="Grid cells",
    row=GridCellRow,
    key="grid_code",
    geometry_types=("Polygon", "MultiPolygon"),
    stored_type="MultiPolygon",
    is_boundary=True,
    more={"valid_from": "timestamptz", "valid_to": "timestamptz"},
    moments=("valid_from", "valid_to"),
    drawn_from=(Table.EDITIONS, Table.GRID_LEVELS),
)


async def refuse_unknown_cell(connection: AsyncConnection, grid_code: str | None) -> None:
    """Raise UserError unless there is a grid cell of this code in force that the principal sees; None: no cell is meant."""
    if grid_code is not None and not await fetch_one(connection, LAYER.query("in_force"), {"grid_code": grid_code}):
        message = f"there is no grid cell {grid_code!r} in force: GET /collections/grid_cells/items lists them"
        raise UserError(message)
