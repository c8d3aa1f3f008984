"""Roads: centre lines, from an OpenStreetMap extract or a file."""

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow


class RoadRow(LayerRow):
    """One road."""

    osm_id: int | None = None
    name: str = ""
    road_class: str = Field(min_length=1)
    one_way: bool = False
    speed_kmh: float | None = Field(None, gt=0, le=300)


LAYER = Layer(
    name="roads",
    title_zh="道路",
    title_en="Roads",
    row=RoadRow,
    key="osm_id",
    geometry_types=("LineString",),
    stored_type="LineString",
    item_key="road_id",
    more={"road_id": "bigint"},
    min_zoom=5,
    drawn_from=(Table.ROADS,),
)
