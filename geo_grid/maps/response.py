"""Minutes on roads: circles, what they cover, who gets there first, and what changes when a road is closed."""

from typing import Any, Literal

from geo_grid.maps.page import base_map, map_page
from geo_grid.maps.wall import NOWHERE, CityView, ExternalBase, map_options


def response_page(
    view: CityView, lang: Literal["zh", "en"], person: dict[str, Any], external: ExternalBase | None = None
) -> str:
    """Build the page as HTML with Folium; its script asks for everything on it. Parameters as `wall_page`."""
    page = base_map(view.bounds or NOWHERE, lang, animated=False, has_ground=True, has_drawing=True, margins=(384, 424))
    title = "响应圈" if lang == "zh" else "Response"
    return map_page(
        page, "response", f"{title} · geo_grid", {**map_options(view, lang, person, external), "title": title}
    )
