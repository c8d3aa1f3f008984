"""GCJ-02 and BD-09 go out as they come in: items, exports and lookups, named in every answer."""

import io
import json
from pathlib import Path
from typing import Any

import geocoordinates_ffi as china
import geopandas as gpd
import httpx
import numpy as np
import pandas as pd
import pytest
import shapely

from geo_grid.china_datums import NAMES, shifted, shifted_geometry
from geo_grid.coordinates import snap, source_crs
from geo_grid.db import connect
from geo_grid.exchange import Mapping, export_file
from geo_grid.layers import find_layer
from tests.exchange.test_importing import load
from tests.squares import SIDE, SOUTH, WEST

LON, LAT = snap([WEST + SIDE / 2, SOUTH + SIDE / 2]).tolist()
THEIRS = {"GCJ-02": china.wgs84_to_gcj02, "BD-09": china.wgs84_to_bd09}


def drawn(lon: float, lat: float, name: str) -> tuple[float, float]:
    """Where a map of the datum draws a place, by the library that reads it back."""
    point = THEIRS[name](china.Wgs84(lon=lon, lat=lat))
    return point.lon, point.lat


@pytest.fixture
def posted(city: tuple[str, str]) -> str:
    """A post in cell A."""
    with connect(city[1]) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom) values ('P1', 'x', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            (LON, LAT),
        )
    return city[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_shift_is_the_one_that_is_read_back(name: str) -> None:
    rng = np.random.default_rng(4)
    lon, lat = rng.uniform(65, 145, 500), rng.uniform(-5, 60, 500)  # beyond the box that is shifted, too
    x, y = shifted(lon, lat, name)
    theirs = np.array([drawn(a, b, name) for a, b in zip(lon.tolist(), lat.tolist(), strict=True)])
    assert np.abs(np.column_stack([x, y]) - theirs).max() < 1e-9
    inside = (lon > 75) & (lon < 130) & (lat > 5) & (lat < 50)
    back = np.column_stack(source_crs(name).convert(x[inside], y[inside]))
    assert np.abs(back - np.column_stack([lon, lat])[inside]).max() < 1e-8


@pytest.mark.parametrize("name", NAMES)
def test_items_are_drawn_on_maps_of_the_datum_and_name_it(posted: str, planner: httpx.Client, name: str) -> None:
    def ask(path: str, **more: Any) -> httpx.Response:
        answer = planner.get(f"/collections/{path}", params={"crs": name, **more})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-crs"] == f"<urn:geo-grid:crs:{name}>"
        return answer

    uri, there = f"urn:geo-grid:crs:{name}", drawn(LON, LAT, name)
    found = ask("police_posts/items").json()
    assert found["coordRefSys"] == uri
    assert found["features"][0]["geometry"]["coordinates"] == pytest.approx(there, abs=2e-8)
    one = ask("police_posts/items/P1").json()
    assert (one["coordRefSys"], one["geometry"]) == (uri, found["features"][0]["geometry"])
    (sequence,) = ask("police_posts/items", f="geojsonseq").text.strip("\x1e\n").split("\x1e")
    assert json.loads(sequence)["coordRefSys"] == uri
    table = pd.read_csv(io.StringIO(ask("police_posts/items", f="csv").text))
    assert (table["source_crs"][0], table["lon"][0]) == (name, pytest.approx(there[0], abs=2e-8))
    # a map's own window, and what is drawn in it
    west, south, east, north = there[0] - 1e-4, there[1] - 1e-4, there[0] + 1e-4, there[1] + 1e-4
    box = {"bbox": f"{west},{south},{east},{north}", "bbox-crs": name}
    assert ask("police_posts/items", **box).json()["numberReturned"] == 1
    cells = ask("grid_cells/items", zoom=14, **box).json()
    assert cells["coordRefSys"] == uri
    shape = next(shapely.geometry.shape(feature["geometry"]) for feature in cells["features"] if feature["id"] == "A")
    assert shape.covers(shapely.Point(there))
    plain = planner.get("/collections/police_posts/items").json()
    assert "coordRefSys" not in plain
    assert plain["features"][0]["geometry"]["coordinates"] == pytest.approx((LON, LAT), abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_lookups_answer_where_the_map_draws_and_say_so(posted: str, planner: httpx.Client, name: str) -> None:
    x, y = drawn(LON, LAT, name)
    asked = {"lon": x, "lat": y, "source_crs": name, "crs": name}
    found = planner.get("/locate", params=asked).json()
    assert (found["crs"], [cell["grid_code"] for cell in found["grid_cells"]]) == (name, ["P", "A"])
    assert found["point"] == pytest.approx((x, y), abs=3e-8)
    card = planner.get("/desk", params=asked).json()
    assert card["location"]["crs"] == name
    for near in (*card["nearest_posts"], *card["responders"]):
        assert (near["lon"], near["lat"]) == pytest.approx((x, y), abs=3e-8)
    plain = planner.get("/locate", params={"lon": LON, "lat": LAT}).json()
    assert (plain["crs"], plain["point"]) == ("EPSG:4490", pytest.approx([LON, LAT], abs=1e-8))


@pytest.mark.parametrize("name", NAMES)
def test_an_export_names_its_datum_and_comes_back(
    posted: str, planner: httpx.Client, tmp_path: Path, name: str
) -> None:
    answer = planner.get("/collections/police_posts/export", params={"f": "csv", "crs": name})
    assert answer.status_code == 200, answer.text
    assert f"police_posts-{name}.csv" in answer.headers["content-disposition"]
    assert answer.headers["content-crs"] == f"<urn:geo-grid:crs:{name}>"
    for kind in ("gpkg", "geojson", "parquet"):
        path = tmp_path / f"cells.{kind}"
        with connect(posted) as connection:
            export_file(connection, find_layer("grid_cells"), path, name)
        frame = gpd.read_parquet(path) if kind == "parquet" else gpd.read_file(path)
        assert set(frame["source_crs"]) == {name}
        if kind != "geojson":  # which is WGS 84 by its standard, whatever is in it
            assert frame.crs is None or frame.crs.to_epsg() not in (4326, 4490)
    path = tmp_path / "posts.csv"
    path.write_bytes(answer.content)
    with connect(posted) as connection:
        connection.execute("delete from police_posts")
    load(posted, "police_posts", path, name, mapping=Mapping())
    with connect(posted) as connection:
        row = connection.execute("select ST_X(geom) as lon, ST_Y(geom) as lat from police_posts").fetchone()
    assert (row["lon"], row["lat"]) == pytest.approx((LON, LAT), abs=5e-8)
    assert planner.get("/collections/police_posts/export", params={"crs": "EPSG:4547"}).status_code == 400


@pytest.mark.parametrize("name", NAMES)
def test_areas_are_drawn_on_such_maps_too(posted: str, planner: httpx.Client, name: str) -> None:
    with connect(posted) as connection:
        connection.execute(
            "insert into response_circles (post_code, tier_minutes, method, geom) values ('P1', 1, 'theirs',"
            " ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4490)))",
            (WEST, SOUTH, WEST + SIDE, SOUTH + SIDE),
        )
    box = f"{WEST - 1},{SOUTH - 1},{WEST + 1},{SOUTH + 1}"
    for path, asked in (
        ("/response/areas", {"lon": LON, "lat": LAT}),
        ("/response/unions", {"by": "city", "bbox": box}),
    ):
        plain, shown = (planner.get(path, params={**asked, **more}).json() for more in ({}, {"crs": name}))
        assert plain["coordRefSys"] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        assert shown["coordRefSys"] == f"urn:geo-grid:crs:{name}"
        assert plain["features"]
        for one, other in zip(plain["features"], shown["features"], strict=True):
            ours, theirs = (shapely.geometry.shape(feature["geometry"]) for feature in (one, other))
            assert shapely.get_coordinates(theirs)[0] == pytest.approx(
                drawn(*shapely.get_coordinates(ours)[0], name), abs=5e-8
            )
            assert shapely.equals_exact(theirs, shifted_geometry(ours, name), 5e-8)
    live = planner.get("/response/live/areas", params={"bbox": box, "crs": name}).json()
    assert live["coordRefSys"] == f"urn:geo-grid:crs:{name}"
    assert planner.get("/response/areas", params={"lon": LON, "lat": LAT, "crs": "EPSG:3857"}).status_code == 422
