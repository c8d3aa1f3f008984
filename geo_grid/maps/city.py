"""What map pages show about the city as a whole, and the data that their scripts get of it."""

from dataclasses import dataclass
from typing import Any

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.layers.grid_levels import QUERIES as LEVEL_QUERIES
from geo_grid.maps.looks import LOOKS
from geo_grid.response.ranking import SILENT_S

QUERIES = load_queries("geo_grid.maps", "maps.sql")
CATEGORIES = load_queries("geo_grid.layers", "incident_categories.sql")

NOWHERE = (113.752, 36.750, 115.847, 37.812)
"""Extent that is shown while no cell is stored: west, south, east, north of Xingtai in degrees."""


@dataclass(frozen=True)
class ExternalBase:
    """An external base map.

    Attributes
    ----------
    urls
        Templates of tiles in WebMercatorQuad with {z}, {x}, {y} and maybe {s}, drawn one over the other.
    subdomains
        Values of {s}.
    """

    urls: tuple[str, ...]
    subdomains: tuple[str, ...]
    attribution: str


@dataclass(frozen=True)
class CityView:
    """Facts about the city that a page needs before it loads layers."""

    name_zh: str
    name_en: str
    timezone: str
    bounds: tuple[float, float, float, float] | None
    edition: int | None
    is_demo: bool
    levels: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    has_base_map: bool


async def city_view(connection: AsyncConnection, name_zh: str, name_en: str, timezone: str) -> CityView:
    """Read what the pages show about the city as a whole."""
    found = await (await connection.execute(QUERIES["city"])).fetchone() or {}
    levels = await (await connection.execute(LEVEL_QUERIES["all"])).fetchall()
    categories = await (await connection.execute(CATEGORIES["all"])).fetchall()
    bounds = None
    if found.get("west") is not None:
        bounds = (found["west"], found["south"], found["east"], found["north"])
    return CityView(
        name_zh,
        name_en,
        timezone,
        bounds,
        found.get("edition"),
        bool(found.get("is_demo")),
        levels,
        categories,
        bool(found.get("has_base_map")),
    )


def map_options(view: CityView, person: dict[str, Any]) -> dict[str, Any]:
    """Return the data for the script of a map of the whole city, beside what elements of the map add."""
    return {
        "city": {"zh": view.name_zh, "en": view.name_en},
        "isDemo": view.is_demo,
        "isEmpty": view.bounds is None,
        "edition": view.edition,
        "bounds": view.bounds,
        "timezone": view.timezone,
        "levels": view.levels,
        "categories": view.categories,
        "person": person,
        "looks": LOOKS,
        "silentAfterS": SILENT_S,
    }
