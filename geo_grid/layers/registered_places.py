"""Registered places: major projects whose risk to stability is assessed, and hidden dangers 隐患."""

from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow, LocalCode, Name


class RegisteredPlaceRow(LayerRow):
    """One entry of a register."""

    place_code: LocalCode = Field(min_length=1, max_length=32)
    place_kind: Literal["major_project", "hidden_danger"]
    name: Name = Field(min_length=1, max_length=200)
    responsible_unit: str = Field("", max_length=200)
    needs_assessment: bool = True

    defaults: ClassVar[dict[str, str]] = {"name": "place_code"}


LAYER = Layer(
    name="registered_places",
    title_zh="重大项目与隐患",
    title_en="Major projects and hidden dangers",
    row=RegisteredPlaceRow,
    key="place_code",
    geometry_types=("Point",),
    stored_type="Point",
    is_assigned=True,
    drawn_from=(Table.REGISTERED_PLACES,),
    is_editable=True,
)
