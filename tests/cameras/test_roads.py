"""How much of each road cameras see, and where more of them would see most."""

import itertools
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import shapely

from geo_grid.cameras.roads import lengths_m, unseen_of
from geo_grid.cameras.sight import Usual, metres_per_degree
from geo_grid.cameras.views import update_views
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing

LON, LAT = 114.5035, 37.0035
SCALE = np.array(metres_per_degree(LAT))
CROSSING = (200.0, 0.0)
# metres east and north of the place; all but the last lie in cell A, the last goes on into B
ROADS = {
    ("人民路", "secondary"): [(0, 0), CROSSING],
    ("人民路", "tertiary"): [CROSSING, (380, 0)],
    ("新华街", "residential"): [(200, -250), CROSSING, (200, 250)],
    ("", "service"): [(-200, 200), (-200, 260)],
    ("长路", "primary"): [(200, -330), (900, -330)],
}


def line(corners: list[tuple[float, float]]) -> shapely.LineString:
    return snap_geometry(shapely.LineString(np.array(corners) / SCALE + (LON, LAT)))


def camera(
    connection, number: int, at: tuple[float, float], reach: float, state: str | None = None, secret: bool = False
):
    place = snap_geometry(shapely.Point(np.array(at) / SCALE + (LON, LAT)))
    (made,) = connection.execute(
        "insert into cameras (gb28181_id, name, ptz_type, range_m, is_secret, grid_code, geom)"
        " values (%s, 'x', 1, %s, %s, 'A', ST_SetSRID(ST_GeomFromWKB(%s), 4490)) returning camera_id",
        (f"1305020000132000000{number}", reach, secret, place.wkb),
    ).fetchall()
    if state:
        connection.execute("insert into camera_states values (%s, %s, now(), now())", (made["camera_id"], state))


@pytest.fixture
def city(small_city: str) -> Iterator[tuple[str, str]]:
    with connect(small_city) as connection:
        for (name, road_class), corners in ROADS.items():
            connection.execute(
                "insert into roads (name, road_class, geom) values (%s, %s, ST_SetSRID(ST_GeomFromWKB(%s), 4490))",
                (name, road_class, line(corners).wkb),
            )
        camera(connection, 1, (0, 0), 60)  # sees the west end of 人民路
        camera(connection, 2, (200, 250), 60, "offline")
        camera(connection, 3, (200, -250), 60, secret=True)
        camera(connection, 4, (-200, 230), 50, "online")  # sees all of the road without a name
        update_views(connection, Usual(60.0, 50.0))
    with live_server(small_city) as url:
        yield url, small_city


def seen(client: httpx.Client, **asked: object) -> dict:
    answer = client.get("/cameras/coverage/roads", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_each_road_says_how_much_of_it_is_seen_and_where_it_is_not(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "wall")) as client:
        told = seen(client, within="A")
        roads = {one["name"]: one for one in told["roads"]}
        assert [one["name"] for one in told["roads"][:2]] == ["新华街", "人民路"]  # most unseen first
        assert roads["新华街"]["seen_m"] == pytest.approx(60, abs=0.2)  # by one that is off; the other is secret
        assert (roads["人民路"]["length_m"], roads["人民路"]["seen_m"]) == pytest.approx((380, 60), abs=0.1)
        assert roads["人民路"]["road_class"] == "secondary"
        assert roads[""]["share"] == pytest.approx(1)
        assert roads["长路"]["length_m"] < 400  # only what lies in the cell
        assert told["seen_m"] == pytest.approx(180, abs=0.3)
        assert told["length_m"] == pytest.approx(sum(one["length_m"] for one in told["roads"]))
        # one stretch for the two ways of 人民路, though the extract divides it
        stretches = {one["properties"]["name"]: one for one in told["stretches"]}
        assert sorted(stretches) == sorted(["人民路", "新华街", "长路"])
        west = np.array(stretches["人民路"]["geometry"]["coordinates"])[:, 0].min()
        assert (west - LON) * SCALE[0] == pytest.approx(60, abs=0.1)
        assert stretches["人民路"]["properties"]["length_m"] == pytest.approx(320, abs=0.1)
        assert len(seen(client, within="P", limit=1)["roads"]) == 1
        assert client.get("/cameras/coverage/roads", params={"within": "nowhere"}).status_code == 404
        shifted = client.get("/cameras/coverage/roads", params={"within": "A", "crs": "GCJ-02"}).json()
        assert "GCJ" in shifted["coordRefSys"]
    with bearing(url, api_key(database, "wall", ["D"])) as elsewhere:  # no camera of theirs, and no cell
        assert elsewhere.get("/cameras/coverage/roads", params={"within": "A"}).status_code == 404


def sites(client: httpx.Client, **asked: object) -> dict:
    answer = client.post("/cameras/siting", json={"within": "A", "range_m": 100, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_first_of_more_cameras_stands_at_the_crossing(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "planner")) as client:
        one = sites(client, count=1)
        (first,) = one["features"]
        place = (np.array([first["properties"]["lon"], first["properties"]["lat"]]) - (LON, LAT)) * SCALE
        assert place == pytest.approx(CROSSING, abs=1)
        assert first["properties"]["kind"] == "crossing"
        assert sorted(first["properties"]["roads"]) == sorted(["人民路", "新华街"])
        assert first["properties"]["adds_m"] == pytest.approx(400, abs=12)  # 100 m each way
        assert one["seen_then_m"] - one["seen_m"] == pytest.approx(first["properties"]["adds_m"], abs=0.2)
        assert one["seen_m"] == pytest.approx(180, abs=0.5)
        four = sites(client, count=4)
        assert four["seen_then_m"] > one["seen_then_m"] + 250
        assert {feature["geometry"]["type"] for feature in four["features"]} == {"Polygon"}
        for wrong, words in ((0, "count"), (90, "between 1 and"), (101, "count")):
            answer = client.post("/cameras/siting", json={"within": "A", "range_m": 100, "count": wrong})
            assert answer.status_code in (400, 422)
            assert words in answer.text
        assert client.post("/cameras/siting", json={"within": "nowhere"}).status_code == 404


def test_a_siting_may_take_as_long_as_those_of_posts(city: tuple[str, str]) -> None:
    _, database = city
    key = api_key(database, "planner")
    with live_server(database, solver_timeout_s=0.001) as url, bearing(url, key) as client:
        refused = client.post("/cameras/siting", json={"within": "A", "range_m": 100, "count": 1})
        assert (refused.status_code, "ask for less" in refused.json()["detail"]) == (422, True)


def test_a_building_turns_a_crossing_into_a_worse_place(city: tuple[str, str]) -> None:
    """Walls close beside the crossing hide three of its four arms: what a candidate sees is cut as views are."""
    url, database = city
    with bearing(url, api_key(database, "planner")) as client:
        free = sites(client, count=1)["seen_then_m"]
        with connect(database) as connection:
            for corners in (
                [(190, 4), (210, 4), (210, 6), (190, 6)],
                [(190, -6), (210, -6), (210, -4), (190, -4)],
                [(204, -3), (206, -3), (206, 3), (204, 3)],
            ):
                wall = snap_geometry(shapely.Polygon(np.array(corners) / SCALE + (LON, LAT)))
                connection.execute(
                    "insert into base_features (feature_kind, min_zoom, geom) values ('building', 15, ST_SetSRID(ST_GeomFromWKB(%s), 4490))",
                    (wall.wkb,),
                )
        assert sites(client, count=1)["seen_then_m"] < free - 60


def test_what_is_unseen_is_what_views_leave() -> None:
    lines = np.array(
        [shapely.MultiLineString([[(0, 0), (10, 0)]]), shapely.MultiLineString([[(0, 5), (10, 5)]])], dtype=object
    )
    views = np.array([shapely.box(2, -1, 4, 1), shapely.box(3, -1, 5, 1), shapely.box(4, 4, 5, 5)], dtype=object)
    left = unseen_of(lines, views)
    assert shapely.length(left).tolist() == pytest.approx([7, 9])
    assert unseen_of(lines, views[:0])[0].equals(lines[0])
    assert unseen_of(lines[:0], views).tolist() == []
    everything = unseen_of(lines, np.array([shapely.box(-1, -1, 11, 6)], dtype=object))
    assert [one.is_empty for one in everything] == [True, True]
    assert lengths_m(everything).tolist() == [0, 0]


def test_sites_are_the_best_there_are() -> None:
    from geo_grid.cameras.siting import _merged
    from geo_grid.response.siting import site

    rng = np.random.default_rng(21)
    sees = rng.random((60, 9)) < 0.25
    weights = rng.uniform(1, 9, 60)
    times, heavy = _merged(sees, weights)
    assert heavy.sum() == pytest.approx(weights.sum())
    found = site(times, heavy, 0.5, "maximal_covering", 3)
    best = max(weights[sees[:, list(some)].any(axis=1)].sum() for some in itertools.combinations(range(9), 3))
    assert found.covered * weights.sum() == pytest.approx(best)
