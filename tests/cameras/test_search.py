"""Cameras by owner, network, type and state on maps and in tiles; and those in a sector, or that see into it."""

import math
from typing import Any

import httpx
import mapbox_vector_tile
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from bench.access import tile_of
from geo_grid.cameras.search import LARGEST_M, sector_of
from geo_grid.cameras.sight import Usual, metres_per_degree
from geo_grid.cameras.views import update_views
from geo_grid.coordinates import snap
from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing

LON, LAT = 114.5035, 37.0035
EAST, NORTH = metres_per_degree(LAT)
BOX = "114.5,37,114.516,37.016"
# by last digits: metres east and north of the place, azimuth, range, owner, network, type, state, whether it is secret
CAMERAS = {
    "1": (0, 100, 0, 50, "公安局", "5", "132", "online", False),
    "2": (0, 400, 180, 350, "公安局", "5", "131", "offline", False),  # stands far off, and looks back into it
    "3": (0, -100, 180, 50, "社区", "7", "132", None, False),
    "4": (20, 100, 0, 50, "公安局", "5", "132", "online", True),
    "5": (900, 900, 0, 50, "公安局", "5", "132", "online", False),  # in cell D
}


def gb(last: str) -> str:
    network, kind = CAMERAS[last][5:7]
    return f"1305020000{kind}{network}00000{last}"


@pytest.fixture
def city(small_city: str):
    with connect(small_city) as connection:
        for last, (east, north, azimuth, reach, owner, _, _, state, is_secret) in CAMERAS.items():
            lon, lat = snap([LON + east / EAST, LAT + north / NORTH]).tolist()
            (made,) = connection.execute(
                "insert into cameras (gb28181_id, name, azimuth_deg, range_m, owner_name, is_secret, grid_code, geom)"
                " values (%s, %s, %s, %s, %s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490)) returning camera_id",
                (gb(last), f"camera {last}", azimuth, reach, owner, is_secret, "D" if last == "5" else "A", lon, lat),
            ).fetchall()
            if state:
                connection.execute(
                    "insert into camera_states values (%s, %s, now(), now())", (made["camera_id"], state)
                )
        update_views(connection, Usual(60.0, 50.0))
    with live_server(small_city) as url:
        yield url, small_city


def shown(client: httpx.Client, query: str, path: str = "/collections/cameras/items") -> set[str]:
    answer = client.get(f"{path}?bbox={BOX}{query}")
    assert answer.status_code == 200, answer.text
    return {one["properties"]["gb28181_id"][-1] for one in answer.json()["features"]}


def drawn(client: httpx.Client, query: str, zoom: int = 16) -> set[str]:
    """The cameras of the tiles around the place."""
    found: set[str] = set()
    for east, north in ((0, 100), (0, 400), (0, -100), (900, 900)):
        x, y = tile_of(LON + east / EAST, LAT + north / NORTH, zoom)
        answer = client.get(f"/tiles/WebMercatorQuad/{zoom}/{y}/{x}?collections=cameras,patrol_zones{query}")
        assert answer.status_code in (200, 204), answer.text
        told = mapbox_vector_tile.decode(answer.content).get("cameras", {"features": []}) if answer.content else {}
        found |= {one["properties"]["gb28181_id"][-1] for one in told.get("features", [])}
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "1235"),
        ("&owner_name=社区", "3"),
        ("&owner_name=社区&owner_name=公安局", "1235"),
        ("&owner_name=", ""),
        ("&network_code=5&type_code=131", "2"),
        ("&type_code=132", "135"),
        ("&camera_state=online", "15"),
        ("&camera_state=offline&camera_state=unknown", "23"),
        ("&camera_state=fault", ""),
    ],
)
def test_a_map_shows_the_cameras_that_are_wanted(city: tuple[str, str], query: str, expected: str) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        assert shown(client, f"&zoom=17{query}") == set(expected)
        assert shown(client, query, "/cameras/views") == set(expected)
        assert drawn(client, query) == set(expected)
        far = client.get(f"/collections/cameras/items?bbox={BOX}&zoom=12{query}").json()["features"]
        assert sum(one["properties"]["point_count"] for one in far) == len(expected)


def test_what_is_narrowed_is_kept_apart_and_never_older_than_a_state(city: tuple[str, str]) -> None:
    url, database = city
    with (
        bearing(url, api_key(database, "dispatcher")) as client,
        bearing(url, api_key(database, "wall", ["D"])) as wall,
    ):
        for _ in range(2):  # from the database, then from memory
            assert drawn(client, "") == set("1235")
            assert drawn(client, "&owner_name=社区") == set("3")
            assert drawn(wall, "&owner_name=公安局") == set("5")
        assert drawn(client, "&camera_state=fault") == set()
        answer = client.post("/cameras/states", json={"states": [{"gb28181_id": gb("1"), "state": "fault"}]})
        assert answer.json()["changed"] == 1
        assert drawn(client, "&camera_state=fault") == set("1")
        x, y = tile_of(LON, LAT + 100 / NORTH, 16)
        tile = f"/collections/cameras/tiles/WebMercatorQuad/16/{y}/{x}"
        assert "max-age" in client.get(f"{tile}?camera_state=fault").headers["cache-control"]
        assert "max-age" in client.get(f"{tile}?owner_name=公安局").headers["cache-control"]


def test_tiles_have_states_near_counts_of_those_off_from_afar_and_what_is_seen(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:

        def tile(zoom: int, lat: float) -> dict[str, list[dict[str, Any]]]:
            x, y = tile_of(LON, lat, zoom)
            answer = client.get(f"/collections/cameras/tiles/WebMercatorQuad/{zoom}/{y}/{x}?owner_name=公安局")
            decoded = mapbox_vector_tile.decode(answer.content) if answer.content else {}
            return {name: [one["properties"] for one in told["features"]] for name, told in decoded.items()}

        near = {one["gb28181_id"][-1]: one.get("camera_state") for one in tile(16, LAT + 100 / NORTH)["cameras"]}
        listed = client.get(f"/collections/cameras/items?bbox={BOX}&zoom=17").json()["features"]
        stored = {one["properties"]["gb28181_id"][-1]: one["properties"]["camera_state"] for one in listed}
        assert near
        assert near == {key: stored[key] for key in near}
        afar = tile(9, LAT)
        assert sum(one["point_count"] for one in afar["cameras"]) == 3
        assert sum(one["offline_count"] for one in afar["cameras"]) == sum(
            state not in (None, "online") for key, state in stored.items() if key != "3"
        )
        assert "camera_views" not in afar
        views = tile(16, LAT + 100 / NORTH)["camera_views"]
        assert {"name", "range_m", "is_cut"} <= views[0].keys()
        assert {one["id"][-1] for one in views} <= {
            one["properties"]["gb28181_id"][-1] for one in client.get(f"/cameras/views?bbox={BOX}").json()["features"]
        }


def test_facets_count_what_one_may_see_and_name_it(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        found = client.get("/cameras/facets").json()["facets"]
        by = {(one["property"], one["value"]): one["cameras"] for one in found}
        assert by == {
            ("owner_name", "公安局"): 3, ("owner_name", "社区"): 1, ("network_code", "5"): 3, ("network_code", "7"): 1,
            ("type_code", "132"): 3, ("type_code", "131"): 1, ("camera_state", "online"): 2,
            ("camera_state", "offline"): 1, ("camera_state", "unknown"): 1,
        }  # fmt: skip
        (police,) = [one for one in found if (one["property"], one["value"]) == ("network_code", "5")]
        assert (police["zh"], police["en"]) == ("公安信息网", "police network")
    with bearing(url, api_key(database, "wall", ["D"])) as wall:
        assert {(one["property"], one["cameras"]) for one in wall.get("/cameras/facets").json()["facets"]} == {
            ("owner_name", 1), ("network_code", 1), ("type_code", 1), ("camera_state", 1)
        }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/collections/grid_cells/tiles/WebMercatorQuad/3/3/3?owner_name=x", 400, "owner_name is for cameras"),
        ("/collections/cameras/tiles/WebMercatorQuad/3/3/3?camera_state=broken", 400, "camera_state"),
        (f"/collections/police_posts/items?bbox={BOX}&zoom=17&owner_name=x", 400, "owner_name"),
        (f"/collections/cameras/items?bbox={BOX}&zoom=17&name=x", 400, "name"),
        (f"/collections/cameras/items?bbox={BOX}&zoom=17&camera_state=zz", 400, "camera_state"),
        (f"/collections/cameras/items?bbox={BOX}&zoom=12&camera_state=online&camera_state=", 400, "camera_state"),
        (f"/collections/cameras/items?bbox={BOX}&zoom=17&type_code=1320000000", 400, "type_code"),
        (f"/cameras/views?bbox={BOX}&camera_state=zz", 422, "camera_state"),
    ],
)
def test_what_cannot_be_narrowed_is_refused(city: tuple[str, str], path: str, status: int, words: str) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        answer = client.get(path)
        assert answer.status_code == status
        assert words in answer.text


def look(client: httpx.Client, azimuth: float, fov: float, reach: float, **more: object) -> dict:
    asked = {"lon": LON, "lat": LAT, "azimuth_deg": azimuth, "fov_deg": fov, "range_m": reach} | more
    answer = client.get("/cameras/sector", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(answer: dict) -> list[tuple[str, bool, bool]]:
    return [
        (one["properties"]["gb28181_id"][-1], one["properties"]["stands_in"], one["properties"]["sees_in"])
        for one in answer["features"]
    ]


def test_a_sector_finds_who_stands_in_it_and_who_sees_into_it(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        north = look(client, 0, 60, 200)
        assert told(north) == [("1", True, True), ("2", False, True)]
        assert north["features"][0]["properties"]["distance_m"] == pytest.approx(100, abs=0.2)
        assert north["features"][1]["properties"]["camera_state"] == "offline"
        # the camera to the south stands there, and its back is to the place: it sees into a longer one alone
        assert told(look(client, 180, 60, 100.5)) == [("3", True, True)]
        assert told(look(client, 180, 60, 90)) == []
        assert {one[0] for one in told(look(client, 12, 360, 450))} == set("123")
        assert told(look(client, 0, 60, 200, owner_name="公安局", camera_state="online")) == [("1", True, True)]
        few = look(client, 0, 360, 450, limit=2)
        assert (len(few["features"]), few["truncated"], north["truncated"]) == (2, True, False)
        # drawn for a map of GCJ-02, and asked about in it
        shifted = look(client, 0, 60, 200, crs="GCJ-02")
        lon, lat = shifted["features"][0]["geometry"]["coordinates"]
        assert shifted["coordRefSys"].endswith("GCJ-02") or "GCJ" in shifted["coordRefSys"]
        assert math.hypot((lon - LON) * EAST, (lat - LAT) * NORTH) > 300
    with bearing(url, api_key(database, "wall", ["D"])) as wall:
        assert told(look(wall, 0, 360, 450)) == []


@pytest.mark.parametrize(
    "wrong",
    [{"azimuth_deg": 400}, {"range_m": -1}, {"range_m": LARGEST_M + 1}, {"fov_deg": 0}, {"fov_deg": 361}, {"lat": 91}],
)
def test_a_sector_that_is_none_is_refused(city: tuple[str, str], wrong: dict[str, float]) -> None:
    url, database = city
    asked = {"lon": LON, "lat": LAT, "azimuth_deg": 0, "fov_deg": 60, "range_m": 100} | wrong
    with bearing(url, api_key(database, "dispatcher")) as client:
        answer = client.get("/cameras/sector", params=asked)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


@given(
    azimuth=st.floats(0, 359.9),
    fov=st.floats(5, 360),
    reach=st.floats(5, LARGEST_M),
    at=st.floats(0, 359.9),
    share=st.floats(0.02, 1.5),
)
def test_a_sector_holds_what_its_bearing_and_distance_say(
    azimuth: float, fov: float, reach: float, at: float, share: float
) -> None:
    lon, lat, _ = Geod(ellps="WGS84").fwd(LON, LAT, at, share * reach)
    off = abs((at - azimuth + 180) % 360 - 180)
    is_near_side = fov < 360 and math.radians(abs(off - fov / 2)) * share * reach < 1
    if is_near_side or abs(share - 1) < 0.002 or (fov > 359 and off > 179):
        return
    inside = share < 1 and (fov >= 360 or off < fov / 2)
    assert shapely.covers(sector_of(LON, LAT, azimuth, fov, reach), shapely.Point(lon, lat)) == inside
