"""Questions as of a former time, as people write it: answered with what is known of that time, and nothing of today."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from geo_grid.db import connect
from tests.squares import SIDE, SOUTH, WEST

LON, LAT = WEST + SIDE / 2, SOUTH + SIDE / 2


@pytest.fixture
def past(city: tuple[str, str]) -> str:
    """A day on which the city's boundaries were in force and its circles were not drawn yet."""
    with connect(city[1]) as connection:
        connection.execute("set session_replication_role = replica")  # the boundaries of long ago
        connection.execute("update editions set valid_from = '2026-01-01T00:00+08'")
        connection.execute("update grid_cells set valid_from = '2026-01-01T00:00+08'")
        connection.execute("set session_replication_role = origin")
        connection.execute(
            "insert into police_posts (post_code, name, geom) values ('P1', 'x', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            (LON, LAT),
        )
        connection.execute(
            "insert into response_circles (post_code, tier_minutes, method, speed_kmh, detour_factor, estimated_because, geom) values"
            " ('P1', 1, 'geodesic_estimate', 30, 1.3, 'no_road_near', ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4490)))",
            (WEST, SOUTH, WEST + SIDE, SOUTH + SIDE),
        )
    return "2026-01-01"


def test_a_former_time_is_not_answered_with_the_circles_of_today(
    past: str, planner: httpx.Client, city: tuple[str, str]
) -> None:
    def ask(path: str, **more: str) -> dict:
        answer = planner.get(path, params={"lon": LON, "lat": LAT, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    deadline = time.monotonic() + 90
    while not (now := ask("/locate"))["response"]:  # the server reads the new circles soon
        assert time.monotonic() < deadline
    assert [(one["post_code"], one["estimated_because"]) for one in now["response"]] == [("P1", "no_road_near")]
    assert now["response_known"]
    then = ask("/locate", at=past)
    assert [cell["grid_code"] for cell in then["grid_cells"]] == ["P", "A"]  # what was kept is answered
    assert (then["response"], then["response_known"]) == ([], False)
    card = ask("/desk", at=past)
    assert (card["location"]["response"], card["location"]["response_known"]) == ([], False)
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    assert ask("/locate", at=soon)["response"] == now["response"]


def test_circles_are_asked_as_of_a_time_like_boundaries(past: str, planner: httpx.Client) -> None:
    def matched(**asked: str) -> int:
        return planner.get("/collections/response_circles/items", params=asked).json()["numberReturned"]

    assert matched() == 1
    assert matched(datetime=f"{past}T00:00:00Z") == 0
    assert matched(datetime="2026-01-01T00:00:00Z/..") == 1


@pytest.mark.parametrize("path", ["/locate", "/desk"])
def test_a_day_is_read_over_http_as_on_the_command_line(path: str, past: str, planner: httpx.Client) -> None:
    def owners(at: str) -> dict:
        answer = planner.get(path, params={"lon": LON, "lat": LAT, "at": at})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found.get("location", found)

    assert owners("2026-01-01") == owners("2026-01-01T00:00:00+08:00")  # in the city's own time
    assert owners("2026-01-01")["grid_cells"]
    assert not owners("2025-12-31T23:59:59")["grid_cells"]


def test_many_points_take_a_day_too(past: str, planner: httpx.Client) -> None:
    def codes(at: str) -> list[str | None]:
        answer = planner.post("/locate", params={"at": at}, json={"points": [[LON, LAT]]})
        assert answer.status_code == 200, answer.text
        return [point["grid_code"] for point in answer.json()["points"]]

    assert codes("2026-01-02") == ["A"]
    assert codes("2025-12-31") == [None]
    track = planner.get("/units/U1/track", params={"since": "2026-01-01", "until": "2026-01-02"})
    assert track.status_code in (200, 404), track.text


def test_a_map_is_drawn_as_of_a_moment(past: str, planner: httpx.Client) -> None:
    def drawn(layer: str, **asked: object) -> httpx.Response:
        return planner.get(f"/collections/{layer}/items", params={"bbox": "114,36,116,38", "zoom": 12, **asked})

    for layer in ("grid_cells", "response_circles"):
        assert drawn(layer).json()["features"]
        assert not drawn(layer, datetime="2025-12-31T00:00:00Z").json()["features"]
    assert drawn("grid_cells", datetime=f"{past}T00:00:00Z").json() == drawn("grid_cells").json()
    assert not drawn("response_circles", datetime=f"{past}T00:00:00Z").json()["features"]
    for layer, moment in (("police_posts", f"{past}T00:00:00Z"), ("grid_cells", f"{past}T00:00:00Z/..")):
        refused = drawn(layer, datetime=moment)  # never the present under another date
        assert refused.status_code == 400
        assert "one moment" in refused.json()["detail"]
