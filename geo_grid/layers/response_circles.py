"""Response circles 响应圈: what a post reaches within 1, 3 and 5 minutes, and by which method that is known."""

from typing import Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow

Why = Literal["no_roads", "no_road_near", "no_answer", "too_large"]
"""Why travel is estimated: there is no road graph, no road near, no answer in time, or the router refuses such a question."""


class ResponseCircleRow(LayerRow):
    """One circle of one post."""

    post_code: str = Field(min_length=1, max_length=32)
    tier_minutes: Literal[1, 3, 5]
    circle_basis: Literal["place_tier", "force_tier", "phase"] = "force_tier"
    method: str
    direction: Literal["outbound", "inbound"] = "outbound"
    dispatch_s: int = Field(0, ge=0, description="seconds until somebody is sent")
    turnout_s: int = Field(0, ge=0, description="seconds until they leave")
    travel_s: int = Field(0, ge=0, description="seconds on the road; 0: it is not told")
    speed_kmh: float | None = Field(None, gt=0, description="of an estimate")
    detour_factor: float | None = Field(None, ge=1, description="of an estimate")
    on_foot_m: float = Field(0, ge=0, description="metres on foot between the post and the nearest road, in the time")
    estimated_because: Why | None = Field(
        None, description="why it is an estimate; null: it is none, or it is not known"
    )
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
    more={"response_circle_id": "bigint", "valid_from": "timestamptz", "valid_to": "timestamptz"},
    moments=("valid_from", "valid_to"),
    min_zoom=10,
    drawn_from=(Table.RESPONSE_CIRCLES, Table.POLICE_POSTS),
)
