"""Patrol units: cars, motorcycles, foot patrols and volunteers, where they last reported from."""

from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.layers.layer import Layer, LayerRow, LocalCode, Name
from geo_grid.layers.periods import Periods


class PatrolUnitRow(LayerRow):
    """One patrol unit."""

    unit_code: LocalCode = Field(min_length=1, max_length=32)
    name: Name = Field(min_length=1, max_length=200)
    unit_kind: Literal["car", "motorcycle", "foot", "volunteers"]
    post_code: str | None = None
    zone_code: str | None = None
    unit_status: Literal["on_patrol", "dispatched", "on_scene", "off_duty"] = "on_patrol"
    skills: str = Field("", max_length=200, description="words with commas")
    shift: Periods = ""

    defaults: ClassVar[dict[str, str]] = {"name": "unit_code"}


LAYER = Layer(
    name="patrol_units",
    title_zh="巡逻力量",
    title_en="Patrol units",
    row=PatrolUnitRow,
    key="unit_code",
    geometry_types=("Point",),
    stored_type="Point",
    more={"reported_at": "timestamptz"},
    moments=("reported_at",),
    min_zoom=9,
    is_editable=True,
)
