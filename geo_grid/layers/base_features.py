"""Base map 底图: water, land use, buildings, railways and place names, from an OpenStreetMap extract."""

from typing import Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow

FeatureKind = Literal["water", "waterway", "green", "farmland", "built_up", "building", "railway", "place"]


class BaseFeatureRow(LayerRow):
    """One thing that the base map shows."""

    feature_kind: FeatureKind
    feature_class: str = ""
    name: str = ""
    min_zoom: int = Field(14, ge=0, le=22)
    osm_id: int | None = None


LAYER = Layer(
    name="base_features",
    title_zh="底图要素",
    title_en="Base map features",
    row=BaseFeatureRow,
    key="base_feature_id",
    geometry_types=("Point", "LineString", "Polygon", "MultiPolygon"),
    stored_type="Geometry",
    more={"base_feature_id": "bigint"},
    min_zoom=4,
    drawn_from=(Table.BASE_FEATURES,),
)
