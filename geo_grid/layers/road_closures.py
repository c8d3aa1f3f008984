"""Road closures 道路封闭 and areas that are to be avoided: nobody is sent through them."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow, LocalCode, Name


class RoadClosureRow(LayerRow):
    """One closure: an area, or a line that no road crosses while it is in force."""

    closure_code: LocalCode = Field(min_length=1, max_length=32)
    name: Name = Field(min_length=1, max_length=200)
    closure_kind: Literal["closed", "avoided"] = "closed"
    closed_from: datetime | None = None
    closed_to: datetime | None = None

    defaults: ClassVar[dict[str, str]] = {"name": "closure_code"}


LAYER = Layer(
    name="road_closures",
    title_zh="道路封闭",
    title_en="Road closures",
    row=RoadClosureRow,
    key="closure_code",
    geometry_types=("Polygon", "MultiPolygon", "LineString", "MultiLineString"),
    stored_type="Geometry",
    min_zoom=8,
    drawn_from=(Table.ROAD_CLOSURES,),
    is_editable=True,
)
