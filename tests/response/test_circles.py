from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from geo_grid.coordinates import LATTICE_STEP
from geo_grid.db import Connection, connect
from geo_grid.response import Router, Travel, build_circles, read_conditions
from geo_grid.response.build import _AT_ONCE, Built, Conditions, draw_circles, stale_posts
from geo_grid.response.circles import geodesic_circles, radius_m
from geo_grid.response.router import Areas
from geo_grid.settings import Settings
from tests.response.roads import graph_of

speeds = st.floats(1, 150)


@pytest.mark.parametrize(("tier", "metres"), [(1, 385), (3, 1154), (5, 1923)])
def test_thirty_kilometres_an_hour_and_a_detour_of_1_3_give_the_documented_radii(tier: int, metres: int) -> None:
    assert round(radius_m(tier, 30, 1.3)) == metres


@given(st.floats(-179, 179), st.floats(-80, 80), speeds, st.floats(1, 5))
def test_circles_are_valid_on_the_lattice_and_nest(lon: float, lat: float, speed: float, detour: float) -> None:
    one, three, five = (geodesic_circles(lon, lat, radius_m(tier, speed, detour))[0] for tier in (1, 3, 5))
    for circle in (one, three, five):
        assert shapely.is_valid(circle)
        assert ((shapely.get_coordinates(circle) / LATTICE_STEP) % 1 == 0).all()
    assert shapely.covers(three, one)
    assert shapely.covers(five, three)


def test_a_circle_is_round_on_the_ground() -> None:
    circle = geodesic_circles(114.5, 37.07, 1923.0)[0]
    lon, lat = shapely.get_coordinates(circle).T
    _, _, metres = Geod(ellps="GRS80").inv(np.full_like(lon, 114.5), np.full_like(lat, 37.07), lon, lat)
    assert metres == pytest.approx(1923.0, abs=0.01)


def build(connection: Connection, speed_kmh: float, detour_factor: float) -> dict[str, int]:
    travel = Travel.of(Settings(response_speed_kmh=speed_kmh, response_detour_factor=detour_factor))
    with Router.opened(None, travel.estimate) as router:
        return build_circles(connection, router, read_conditions(connection, travel, None)).made


def test_every_post_gets_three_circles_labelled_with_their_method(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom) values"
            " ('P1', 'one', ST_SetSRID(ST_MakePoint(114.5, 37), 4490)),"
            " ('P2', 'two', ST_SetSRID(ST_MakePoint(114.75, 37.25), 4490))"
        )
        assert build(connection, 30, 1.3) == {"geodesic_estimate": 6}
        assert build(connection, 60, 1.0) == {"geodesic_estimate": 6}  # replaced, not doubled
    with connect(database) as connection:
        rows = connection.execute("select * from response_circles order by post_code, tier_minutes").fetchall()
    assert [(r["post_code"], r["tier_minutes"]) for r in rows] == [(p, t) for p in ("P1", "P2") for t in (1, 3, 5)]
    assert {(r["method"], r["speed_kmh"], r["detour_factor"]) for r in rows} == {("geodesic_estimate", 60.0, 1.0)}


def test_no_posts_no_circles(database: str) -> None:
    with connect(database) as connection:
        assert build(connection, 30, 1.3) == {}


def test_the_database_refuses_circles_that_do_not_nest(database: str) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.CheckViolation, match="reaches outside"), connect(database) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom)"
            " values ('P1', 'one', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
        for tier, size in ((1, 0.5), (3, 0.25)):
            connection.execute(
                "insert into response_circles (post_code, tier_minutes, method, speed_kmh, detour_factor, geom)"
                " values ('P1', %s, 'drawn', 30, 1, ST_Multi(ST_MakeEnvelope(114, 37, 114 + %s, 37 + %s, 4490)))",
                (tier, size, size),
            )


def test_circles_that_were_not_answered_in_time_are_tried_again(database: str, shared: Path) -> None:
    travel, graph = Travel.of(Settings()), graph_of(shared / "liechtenstein.osm.pbf")
    with connect(database) as connection:
        for code, lon, lat in (("VADUZ", 9.5209, 47.1410), ("SEA", 0.0, 30.0)):
            connection.execute(
                "insert into police_posts (post_code, name, geom) values"
                " (%s, 'x', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(%s, %s), 4490), 2 ^ -26))",
                (code, lon, lat),
            )
        conditions = read_conditions(connection, travel, graph)
        with Router.opened(graph, travel.estimate, timeout_s=0.0001) as hurried:
            assert build_circles(connection, hurried, conditions) == Built({"geodesic_estimate": 6}, ["SEA", "VADUZ"])
        assert {post["post_code"] for post in stale_posts(connection, conditions)} == {"VADUZ", "SEA"}
        with Router.opened(graph, travel.estimate, timeout_s=60) as router:
            assert build_circles(connection, router, conditions) == Built({"valhalla": 3, "geodesic_estimate": 3}, [])
        assert stale_posts(connection, conditions) == []  # no road is near the sea: that is an answer
        with Router.opened(
            graph, travel.estimate, timeout_s=0.0001
        ) as hurried:  # what is routed is never lost to an estimate
            assert build_circles(connection, hurried, conditions).unanswered == ["SEA", "VADUZ"]
        kept = connection.execute("select distinct post_code, method from response_circles order by 1").fetchall()
        assert [tuple(row.values()) for row in kept] == [("SEA", "geodesic_estimate"), ("VADUZ", "valhalla")]
        with Router.opened(graph, travel.estimate, timeout_s=60) as router:
            assert build_circles(connection, router, conditions).unanswered == []
        at_rush = Travel.of(Settings(response_traffic="07:00-09:00=2"))
        assert stale_posts(connection, read_conditions(connection, at_rush, graph)) == []  # they are of free roads


class _Unsteady(Router):
    """Roads that do not answer the first questions."""

    def __init__(self, travel: Travel, silent: int) -> None:
        self.estimate = travel.estimate
        self.silent, self.asked = silent, 0

    def ask_areas(self, *_: object) -> Any:
        self.asked += 1
        return self.asked > self.silent

    def areas_of(self, asked: Any, *question: Any) -> Areas:
        return self.estimated_areas(*question, why="no_roads" if asked else "no_answer")


def test_batches_after_one_without_an_answer_are_asked_again() -> None:
    travel = Travel.of(Settings())
    rule = {"travel_s": 60.0, "direction": "outbound", "tier_minutes": 1}
    conditions = Conditions(travel, {"phase": [rule]}, [], "")
    posts = [
        {"post_code": str(n), "lon": 114.5, "lat": 37.0, "circle_basis": "phase", "responsible_unit": None,
         "is_demo": False, "is_routed": False} for n in range(9 * _AT_ONCE)
    ]  # fmt: skip

    def unanswered(silent: int) -> tuple[list[bool], int]:
        """Which batches have no answer, and how many questions were asked, where so many are not answered at first."""
        router = _Unsteady(travel, silent)
        return [bool(batch.unanswered) for batch in draw_circles(posts, router, conditions)], router.asked

    batch = 2 * _AT_ONCE  # each post is asked about twice
    assert unanswered(0) == ([False] * 9, 9 * _AT_ONCE)
    assert unanswered(batch) == ([True] * 2 + [False] * 7, batch + 7 * _AT_ONCE)
    assert unanswered(2 * batch) == ([True] * 5 + [False] * 4, 2 * batch + 4 * _AT_ONCE)
    assert unanswered(10**6) == ([True] * 9, 3 * batch)  # the first, third and sixth


def test_posts_with_circles_of_a_file_keep_them(database: str) -> None:
    travel = Travel.of(Settings())
    with connect(database) as connection, Router.opened(None, travel.estimate) as router:
        for code in ("FILE", "OURS"):
            connection.execute(
                "insert into police_posts (post_code, name, geom) values (%s, 'x', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))",
                (code,),
            )
        connection.execute(
            "insert into response_circles (post_code, tier_minutes, method, speed_kmh, detour_factor, geom)"
            " values ('FILE', 3, 'drawn', 30, 1, ST_Multi(ST_MakeEnvelope(114.5, 37, 114.5078125, 37.0078125, 4490)))"
        )
        conditions = read_conditions(connection, travel, None)
        assert [post["post_code"] for post in stale_posts(connection, conditions)] == ["OURS"]
        assert build_circles(connection, router, conditions).made == {"geodesic_estimate": 3}
        assert stale_posts(connection, conditions) == []
        rows = connection.execute("select post_code, tier_minutes from response_circles order by 1, 2").fetchall()
    assert [tuple(row.values()) for row in rows] == [("FILE", 3), ("OURS", 1), ("OURS", 3), ("OURS", 5)]
