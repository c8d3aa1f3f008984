"""The map kit: layers on any Folium map, from a table or a server; and our own pages composed of the same elements."""

import re
import subprocess
import sys

import folium
import geopandas as gpd
import pytest
import shapely

from geo_grid.errors import UserError
from geo_grid.maps import CityView, GridCells, Legend, Panel, PolicePosts, ResponseCircles, draw_page

HOSTILE = "{{ 6 * 7 }}</script><script>alert(1)</script>{% raw %}"


def table(**columns: list[object]) -> gpd.GeoDataFrame:
    count = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=[shapely.box(at, 37, at + 1, 38) for at in range(count)], crs=4490)


def test_a_table_is_drawn_with_its_names_as_text() -> None:
    cells = GridCells(table(grid_code=["a", "b"], name=[HOSTILE, "b"], grid_level=[1, 2]))
    world = folium.Map(tiles=None).add_child(cells)
    world.add_child(Legend(cells))
    world.add_child(Panel(HOSTILE, HOSTILE))
    shown = world.get_root().render()
    assert "alert(1)</script>" not in shown
    assert shown.count("{{ 6 * 7 }}") == 3  # the name, and the panel's title and line: nothing was evaluated
    assert "42" not in re.findall(r"<div>.*</div>", shown)
    assert world.get_bounds() == [[37, 0], [38, 2]]
    assert shown.count("const geoGridShapes") == 1


def test_a_table_in_metres_is_drawn_in_degrees_and_one_of_no_system_is_refused() -> None:
    metres = table(tier_minutes=[5]).to_crs(4547)
    ((south, west), (north, east)) = ResponseCircles(metres).get_bounds()
    assert (west, south, east, north) == pytest.approx((0, 37, 1, 38), abs=1e-6)
    with pytest.raises(UserError, match="no reference system"):
        ResponseCircles(table(tier_minutes=[5]).set_crs(None, allow_override=True))


def test_what_is_missing_is_said() -> None:
    with pytest.raises(UserError, match="asked with an API key"):
        PolicePosts("http://127.0.0.1:8000")
    with pytest.raises(UserError, match="needs a GeoDataFrame or a server"):
        folium.Map().add_child(GridCells()).get_root().render()


def test_pages_are_composed_of_what_a_person_may_see() -> None:
    view = CityView(HOSTILE, "City", "Asia/Shanghai", (114, 36, 115, 37), 1, True, [], [], True)
    page = draw_page("wall", view, "zh", {"name": "x", "rights": ["map"]}, None)
    assert "alert(1)</script>" not in page
    assert '"shown": ["grid_cells", "patrol_zones", "response_circles"' in page
    assert '"incidents"' not in page.split('"shown"')[1]
    assert "protomaps-leaflet.js" in page
    may = draw_page("response", view, "en", {"name": "x", "rights": ["incidents.read"]}, None)
    assert '"incidents"' in may.split('"shown"')[1]
    assert not re.findall(r'(?:src|href)="(?!/static/)', page + may)  # nothing from elsewhere


def test_the_kit_loads_folium_only_when_it_is_asked_for() -> None:
    script = "import sys, geo_grid.maps; print('folium' in sys.modules); geo_grid.maps.GridCells; print('folium' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
