"""Police posts 警务站: stations, posts and standby points that response circles are drawn around."""

from typing import ClassVar, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow, LocalCode, Name
from geo_grid.layers.periods import Periods


class PolicePostRow(LayerRow):
    """One police post."""

    post_code: LocalCode = Field(min_length=1, max_length=32)
    name: Name = Field(min_length=1, max_length=200)
    post_kind: Literal["police_station", "police_post", "standby_post"] = "police_post"
    responsible_unit: str = ""
    phone: str = ""
    circle_basis: Literal["place_tier", "force_tier", "phase"] = "force_tier"
    key_periods: Periods = ""

    defaults: ClassVar[dict[str, str]] = {"name": "post_code"}


LAYER = Layer(
    name="police_posts",
    title_zh="警务站",
    title_en="Police posts",
    row=PolicePostRow,
    key="post_code",
    geometry_types=("Point",),
    stored_type="Point",
    min_zoom=8,
    drawn_from=(Table.POLICE_POSTS,),
    is_editable=True,
)
