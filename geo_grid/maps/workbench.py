"""Pages with a map between panels: the dispatcher's desk, the planner's boundaries, response circles, and indicators."""

from typing import Any, Literal, NamedTuple

from geo_grid.maps.page import base_map, map_page
from geo_grid.maps.wall import NOWHERE, CityView, ExternalBase, map_options


class Workbench(NamedTuple):
    """A page with a map between panels.

    Attributes
    ----------
    name
        Name of the script and stylesheet.
    margins
        Pixels at the left and right of the map that panels cover.
    has_drawing
        Whether lines and areas are drawn on it.
    """

    name: str
    title_zh: str
    title_en: str
    margins: tuple[int, int]
    has_drawing: bool = True


DESK = Workbench("desk", "接警台", "Dispatch desk", (436, 512))
PLANNER = Workbench("planner", "网格规划", "Boundary planning", (364, 504))
RESPONSE = Workbench("response", "响应圈", "Response", (384, 424))
INDICATORS = Workbench("indicators", "指标", "Indicators", (24, 24), has_drawing=False)


def workbench_page(
    bench: Workbench,
    view: CityView,
    lang: Literal["zh", "en"],
    person: dict[str, Any],
    external: ExternalBase | None = None,
) -> str:
    """Build the page as HTML with Folium; its script loads the content. Other parameters as for `wall_page`."""
    page = base_map(
        view.bounds or NOWHERE,
        lang,
        animated=False,
        has_ground=True,
        has_drawing=bench.has_drawing,
        margins=bench.margins,
    )
    title = bench.title_zh if lang == "zh" else bench.title_en
    options = {**map_options(view, lang, person, external), "title": title}
    return map_page(page, bench.name, f"{title} · geo_grid", options)
