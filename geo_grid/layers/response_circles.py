"""Response circles 响应圈: what a post reaches within 1, 3 and 5 minutes, and by which method that is known."""

from typing import Literal

from pydantic import Field

from geo_grid.layers.layer import Layer, LayerRow


class ResponseCircleRow(LayerRow):
    """One circle of one post."""

    post_code: str = Field(min_length=1, max_length=32)
    tier_minutes: Literal[1, 3, 5]
    circle_basis: Literal["place_tier", "force_tier", "phase"] = "force_tier"
    method: str
    speed_kmh: float = Field(gt=0)
    detour_factor: float = Field(ge=1)
    responsible_unit: str = ""


LAYER = Layer(
    name="response_circles",
    title_zh="1、3、5分钟响应圈",
    title_en="1-, 3- and 5-minute response circles",
    row=ResponseCircleRow,
    key="post_code",
    geometry_types=("Polygon", "MultiPolygon"),
    stored_type="MultiPolygon",
    item_key="response_circle_id",
    more={"response_circle_id": "bigint"},
    min_zoom=10,
    drawn_from=("response_circles", "police_posts"),
)
