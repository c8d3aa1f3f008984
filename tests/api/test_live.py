"""What those who are free reach now, on the roads of Heidelberg: as they become busy or move, holes open and close."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import numpy as np
import pandas as pd
import pytest
import shapely

from geo_grid.boundaries import publish_cells
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.response.live import POINTS, points_inside
from tests.identities import api_key, bearing, logged_in, user

NORTH_POST, SOUTH_POST = (8.6920, 49.4165), (8.6700, 49.4050)


def around(lon: float, lat: float) -> shapely.Geometry:
    return shapely.box(lon - 0.004, lat - 0.002, lon + 0.004, lat + 0.002)


@pytest.fixture
def two_cells(heidelberg: tuple[httpx.Client, str]) -> tuple[httpx.Client, str]:
    """A cell around each of the two posts; the only car is at the northern one."""
    client, database = heidelberg
    with connect(database) as connection:
        set_levels(connection, [GridLevel(grid_level=1, name_zh="区", name_en="district", code_scheme="local", min_zoom=0)])  # fmt: skip
        cells = {
            "grid_code": ["NORTH", "SOUTH"], "code_scheme": "local", "grid_level": 1, "parent_code": None,
            "name": ["北岸", "南岸"], "cell_kind": "division", "household_count": [300, 100],
            "geometry": list(snap_geometry([around(*NORTH_POST), around(*SOUTH_POST)])),
        }  # fmt: skip
        publish_cells(connection, pd.DataFrame(cells), "two cells")
    return client, database


def live(client: httpx.Client, is_wanted: Callable[[dict], bool]) -> dict:
    deadline = time.monotonic() + 90
    while True:
        told = client.get("/response/live", params={"by": "county", "tier_minutes": 5}).json()
        if told["as_of"] and is_wanted(told):
            return told
        assert time.monotonic() < deadline, str(told)
        time.sleep(0.3)


def holes(told: dict) -> list[str]:
    return [hole["name"] for hole in told["holes"]]


def report(client: httpx.Client, status: str, place: tuple[float, float]) -> None:
    one = {"unit_code": "CAR", "lon": place[0], "lat": place[1], "reported_at": datetime.now(UTC).isoformat(), "unit_status": status}  # fmt: skip
    assert client.post("/units/positions", json={"positions": [one]}).json()["accepted"] == 1


def test_holes_open_and_close_as_cars_become_busy_and_move(two_cells: tuple[httpx.Client, str]) -> None:
    client, database = two_cells
    told = live(client, lambda told: holes(told) == ["南岸"])
    assert told["free"] == 2  # the car and the patrol on foot; not who is busy or off shift
    north, south = told["groups"]
    assert north["tiers"][2]["area"] > 0.6
    assert south["tiers"][2]["area"] < 0.5 <= south["tiers"][2]["planned_area"]
    (hole,) = told["holes"]
    assert (hole["grid_code"], hole["households"]) == ("SOUTH", 100)
    assert around(*SOUTH_POST).covers(shapely.Point(hole["lon"], hole["lat"]))
    box = ",".join(map(str, around(*SOUTH_POST).bounds))
    drawn = client.get("/response/live/areas", params={"bbox": box, "tier_minutes": 5}).json()["features"]
    assert {one["properties"]["code"] for one in drawn if one["properties"]["kind"] == "hole"} == {"SOUTH"}

    report(client, "dispatched", NORTH_POST)
    told = live(client, lambda told: told["free"] == 1)
    assert holes(told) == ["北岸", "南岸"]  # most households first
    report(client, "on_patrol", SOUTH_POST)
    told = live(client, lambda told: told["free"] == 2)
    assert "南岸" not in holes(told)
    south = told["groups"][1]["tiers"][2]
    assert south["area"] >= south["planned_area"] - 0.1
    drawn = client.get("/response/live/areas", params={"bbox": box, "tier_minutes": 5}).json()["features"]
    assert "CAR" in {one["properties"]["code"] for one in drawn}
    assert {one["properties"]["method"] for one in drawn} == {"valhalla"}

    with bearing(str(client.base_url), api_key(database, "dispatcher", ["SOUTH"])) as other:
        told = live(other, lambda told: True)
        assert (told["holes"], [group["code"] for group in told["groups"]]) == ([], ["SOUTH"])
        drawn = other.get("/response/live/areas", params={"bbox": "8.6,49.3,8.8,49.5"}).json()["features"]
        assert {one["properties"]["code"] for one in drawn} == {"CAR"}  # who walks is outside their cell
    assert client.get("/response/live/areas", params={"bbox": "1,2,3"}).status_code == 422


def test_points_of_a_cell_are_inside_it_and_spread_as_its_area() -> None:
    ring = shapely.Point(114.5, 37.0).buffer(0.01).difference(shapely.Point(114.5, 37.0).buffer(0.006))
    sliver = shapely.Polygon([(114, 37), (114.1, 37.1), (114.1, 37.10001)])
    shapes = np.array([ring, sliver, shapely.box(114, 37, 114.02, 37.01)], dtype=object)
    points = points_inside(shapes)
    assert points.shape == (3, POINTS, 2)
    for shape, some in zip(shapes, points, strict=True):
        assert shapely.covers(shape, shapely.points(some)).all()
    west = (points[2, :, 0] < 114.01).mean()
    assert west == pytest.approx(0.5, abs=0.07)


def test_hooks_are_told_when_the_last_free_unit_of_an_area_is_gone_and_when_one_is_back(
    two_cells: tuple[httpx.Client, str],
) -> None:
    client, database = two_cells

    def letters(count: int) -> list[tuple[str, str]]:
        deadline = time.monotonic() + 90
        while True:
            with connect(database) as connection:
                rows = connection.execute("select kind, payload from hook_letters order by letter_id").fetchall()
                noted = connection.execute("select from hook_areas").rowcount
            if noted and len(rows) >= count:
                return [(row["kind"], row["payload"]["code"]) for row in rows]
            assert time.monotonic() < deadline, rows
            time.sleep(0.3)

    with logged_in(str(client.base_url), user(database, "administrator")) as admin:  # nobody answers at this address
        asked = {"url": "https://hooks.invalid/", "kinds": ["area.uncovered", "area.covered"]}
        assert admin.post("/webhooks", json=asked).status_code == 201
        assert letters(0) == []
        with connect(database) as connection:
            connection.execute("update patrol_units set unit_status = 'off_duty' where unit_code <> 'CAR'")
        report(client, "dispatched", NORTH_POST)
        gone = letters(1)
        assert ("area.uncovered", "NORTH") in gone
        assert len(set(gone)) == len(gone)  # each once, however often it is looked at
        report(client, "on_patrol", NORTH_POST)
        told = letters(2 * len(gone))
        assert told == gone + [("area.covered", code) for _, code in gone]
