"""The layers of the map. To add one, add a module with a `LAYER`, its .sql file, and a line here."""

from geo_grid.errors import NotFound
from geo_grid.layers import (
    base_features,
    cameras,
    facilities,
    grid_cells,
    incidents,
    patrol_units,
    patrol_zones,
    police_posts,
    registered_places,
    response_circles,
    road_closures,
    roads,
)
from geo_grid.layers.layer import Layer, LayerRow

REGISTRY: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        grid_cells.LAYER,
        patrol_zones.LAYER,
        police_posts.LAYER,
        response_circles.LAYER,
        patrol_units.LAYER,
        incidents.LAYER,
        cameras.LAYER,
        facilities.LAYER,
        registered_places.LAYER,
        road_closures.LAYER,
        roads.LAYER,
        base_features.LAYER,
    )
}


def find_layer(name: str) -> Layer:
    """Return a layer by name. Raises NotFound, naming the layers there are."""
    if name not in REGISTRY:
        message = f"there is no layer {name!r}; the layers are {', '.join(REGISTRY)}"
        raise NotFound(message)
    return REGISTRY[name]


__all__ = ["REGISTRY", "Layer", "LayerRow", "find_layer"]
