"""The pages with a map, each a short composition of the map kit; their scripts build the panels."""

from typing import Any

from geo_grid.maps.city import CityView, ExternalBase, map_options
from geo_grid.maps.elements import (
    BaseTiles,
    Cameras,
    CityMap,
    Drawing,
    Facilities,
    GridCells,
    Incidents,
    Lang,
    LiveCoverage,
    PatrolUnits,
    PatrolZones,
    PolicePosts,
    ResponseCircles,
    RoadClosures,
)
from geo_grid.maps.looks import SHEET_LAYERS


def _incidents(person: dict[str, Any]) -> Incidents | None:
    """Return the layer of incidents; None: whoever looks may not see them."""
    return Incidents() if "incidents.read" in person["rights"] else None


def wall(view: CityView, lang: Lang, person: dict[str, Any], external: ExternalBase | None) -> str:
    """Compose the wall: incidents, units and every layer on one map.

    Parameters
    ----------
    person
        The user, shown in the page's head, with rights: the page omits what the user may not see.
    external
        External base map, offered beside our own.
    """
    page = CityMap(view.bounds, margins=(24, 24)).with_parts(
        BaseTiles(view.has_base_map, external), GridCells(), PatrolZones(), ResponseCircles(), Cameras(), Facilities(),
        PolicePosts(), PatrolUnits(), _incidents(person), RoadClosures(), LiveCoverage(),
    )  # fmt: skip
    title = f"{view.name_zh} 网格地图" if lang == "zh" else f"{view.name_en} grid map"
    return page.as_page("wall", title, lang, map_options(view, person))


def desk(view: CityView, lang: Lang, person: dict[str, Any], external: ExternalBase | None) -> str:
    """Compose the dispatcher's desk. Parameters as of `wall`."""
    page = CityMap(view.bounds, margins=(436, 512)).with_parts(
        BaseTiles(view.has_base_map, external), Drawing(), GridCells(), PatrolZones(), PolicePosts(), PatrolUnits(),
        _incidents(person), Cameras(), RoadClosures(),
    )  # fmt: skip
    return _titled(page, "desk", ("接警台", "Dispatch desk"), view, lang, person)


def planner(view: CityView, lang: Lang, person: dict[str, Any], external: ExternalBase | None) -> str:
    """Compose the planner's workbench, whose script draws the cells of a draft. Parameters as of `wall`."""
    page = CityMap(view.bounds, margins=(364, 504)).with_parts(BaseTiles(view.has_base_map, external), Drawing())
    return _titled(page, "planner", ("网格规划", "Boundary planning"), view, lang, person)


def response(view: CityView, lang: Lang, person: dict[str, Any], external: ExternalBase | None) -> str:
    """Compose the page of circles, what they cover and who gets there first. Parameters as of `wall`."""
    page = CityMap(view.bounds, margins=(384, 424)).with_parts(
        BaseTiles(view.has_base_map, external), Drawing(), ResponseCircles(), Cameras(), RoadClosures(), PolicePosts(),
        PatrolUnits(), _incidents(person),
    )  # fmt: skip
    return _titled(page, "response", ("响应圈", "Response"), view, lang, person)


def indicators(view: CityView, lang: Lang, person: dict[str, Any], external: ExternalBase | None) -> str:
    """Compose the page of indicators, whose script draws the map in classes. Parameters as of `wall`."""
    page = CityMap(view.bounds, margins=(24, 24)).with_parts(BaseTiles(view.has_base_map, external))
    return _titled(page, "indicators", ("指标", "Indicators"), view, lang, person)


def sheet(view: CityView, names: list[str], lang: Lang, person: dict[str, Any], options: dict[str, Any]) -> str:
    """Compose a sheet of paper: a part of the map with its legend, north arrow, scale, time, edition and source.

    Parameters
    ----------
    names
        Of layers, among SHEET_LAYERS.
    options
        Data for its script beside that of every map.
    """
    wanted = {name: _ON_SHEETS[name]() for name in SHEET_LAYERS if name in names}
    if "incidents" in wanted and "incidents.read" not in person["rights"]:
        del wanted["incidents"]
    page = CityMap(view.bounds, margins=(24, 24)).with_parts(BaseTiles(view.has_base_map), *wanted.values())
    title = options["sheet"]["heading"] or (view.name_zh if lang == "zh" else view.name_en)
    return page.as_page("sheet", title, lang, {**map_options(view, person), **options, "title": title})


_ON_SHEETS = {
    one.layer: one
    for one in (
        GridCells, PatrolZones, ResponseCircles, Cameras, Facilities, PolicePosts, PatrolUnits, Incidents, RoadClosures,
        LiveCoverage,
    )
}  # fmt: skip


def features(view: CityView, title: str, lang: Lang, options: dict[str, Any]) -> str:
    """Compose a small map for the features of one layer, which its script loads."""
    return CityMap(view.bounds).as_page("features", title, lang, options)


def _titled(
    page: CityMap, name: str, titles: tuple[str, str], view: CityView, lang: Lang, person: dict[str, Any]
) -> str:
    title = titles[lang == "en"]
    return page.as_page(name, title, lang, {**map_options(view, person), "title": title})


PAGES = {"wall": wall, "desk": desk, "planner": planner, "response": response, "indicators": indicators}
