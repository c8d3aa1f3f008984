"""The planner's workbench: boundaries redrawn in drafts, with what is wrong and what would change."""

from typing import Any, Literal

from geo_grid.maps.page import base_map, map_page
from geo_grid.maps.wall import NOWHERE, CityView, ExternalBase, map_options


def planner_page(
    view: CityView, lang: Literal["zh", "en"], person: dict[str, Any], external: ExternalBase | None = None
) -> str:
    """Build the workbench as HTML with Folium; its script asks for drafts and cells. Parameters as `wall_page`."""
    page = base_map(view.bounds or NOWHERE, lang, animated=False, has_ground=True, has_drawing=True, margins=(364, 504))
    title = "网格规划" if lang == "zh" else "Boundary planning"
    return map_page(
        page, "planner", f"{title} · geo_grid", {**map_options(view, lang, person, external), "title": title}
    )
