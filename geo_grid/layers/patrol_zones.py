"""Patrol zones 治安巡控责任区: areas that tile the city, and key road segments 巡段."""

from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow, LocalCode, Name


class PatrolZoneRow(LayerRow):
    """One patrol zone: an area (polygon) or a segment (line)."""

    zone_code: LocalCode = Field(min_length=1, max_length=32)
    name: Name = Field(min_length=1, max_length=200)
    zone_kind: Literal["area", "segment"] = "area"
    zone_type: Literal["regular", "temporary"] = "regular"
    responsible_unit: str = ""

    defaults: ClassVar[dict[str, str]] = {"name": "zone_code"}


LAYER = Layer(
    name="patrol_zones",
    title_zh="治安巡控责任区",
    title_en="Patrol zones",
    row=PatrolZoneRow,
    key="zone_code",
    geometry_types=("Polygon", "MultiPolygon", "LineString", "MultiLineString"),
    stored_type="Multi",
    is_boundary=True,
    more={"valid_from": "timestamptz", "valid_to": "timestamptz"},
    moments=("valid_from", "valid_to"),
    min_zoom=9,
    drawn_from=(Table.EDITIONS,),
)
