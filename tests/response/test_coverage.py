"""What circles cover, against figures that can be told by hand, and against PostGIS."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geo_grid.db import connect
from geo_grid.response import Router, Travel, build_circles, read_conditions
from geo_grid.response.build import stale_posts
from geo_grid.response.coverage import Coverage
from geo_grid.response.router import Estimate
from geo_grid.settings import Settings
from tests.squares import SIDE, SOUTH, WEST, two_by_two, two_zones

HALF = SIDE / 2
TOMORROW = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
CIRCLE = (
    "insert into response_circles (post_code, tier_minutes, method, speed_kmh, detour_factor, travel_s, geom)"
    " values (%s, %s, 'drawn', 30, 1, 60, ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4490)))"
)
SPOT = "ST_SetSRID(ST_MakePoint(%s, %s), 4490)"


@pytest.fixture
def city(database: str) -> str:
    """Cells A B C D; post P covers half of A within 1 minute, all of A within 3 and the south within 5; Q at night all of it."""
    with connect(database) as connection:
        two_by_two(connection)
        connection.execute("update grid_cells set household_count = 100 where grid_code in ('A', 'B', 'C', 'D')")
        for code, periods in (("P", ""), ("Q", "22:00-06:00")):
            connection.execute(
                f"insert into police_posts (post_code, name, key_periods, geom) values (%s, 'x', %s, {SPOT})",
                (code, periods, WEST, SOUTH),
            )
        for tier, width in ((1, HALF), (3, SIDE), (5, 2 * SIDE)):
            connection.execute(CIRCLE, ("P", tier, WEST, SOUTH, WEST + width, SOUTH + SIDE))
        for tier in (1, 3, 5):  # overlaps P's: what both cover counts once
            connection.execute(CIRCLE, ("Q", tier, WEST + SIDE / 4, SOUTH, WEST + 2 * SIDE, SOUTH + 2 * SIDE))
        for lon, lat in ((WEST + HALF / 2, SOUTH + HALF), (WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)):
            connection.execute(
                f"insert into incidents (category, geom, received_at) values ('x', {SPOT}, now() - interval '1 day')",
                (lon, lat),
            )
    return database


def test_shares_are_what_they_are_by_hand(city: str) -> None:
    with connect(city) as connection:
        coverage = Coverage.read(connection)
    noon, night = datetime(2026, 11, 26, 12), datetime(2026, 11, 26, 23)
    (day,) = coverage.groups("city", noon)
    assert [tier.tier_minutes for tier in day.tiers] == [1, 3, 5]
    assert [tier.area for tier in day.tiers] == pytest.approx([0.125, 0.25, 0.5], abs=1e-3)
    assert [tier.incidents for tier in day.tiers] == [0.5, 0.5, 0.5]
    assert {tier.key_places for tier in day.tiers} == {None}
    (dark,) = coverage.groups("city", night)
    # half of A from the west, three quarters of it from the east, overlapping: all of it, once
    assert [tier.area for tier in dark.tiers] == pytest.approx(
        [1 - 1 / 16 - 1 / 16 + 1 / 16, 1 - 1 / 16, 1 - 1 / 16], abs=1e-3
    )
    assert [tier.incidents for tier in dark.tiers] == [1, 1, 1]
    hours = coverage.groups("hour", noon)
    assert [hour.name for hour in hours] == [f"{hour:02d}:00" for hour in range(24)]
    assert hours[23].tiers == dark.tiers == hours[3].tiers
    assert hours[12].tiers == day.tiers
    (mine,) = coverage.groups("city", noon, frozenset({"A"}))
    assert [tier.area for tier in mine.tiers] == pytest.approx([0.5, 1, 1], abs=1e-3)
    assert mine.incidents == 1


def test_the_demo_citys_shares_are_those_of_postgis(demo: str) -> None:
    with connect(demo) as connection:
        coverage = Coverage.read(connection)
        groups = {group.code: group for group in coverage.groups("county")}
        for code in ("130502", "130533"):
            row = connection.execute(
                "select ST_Area(ST_Intersection(c.geom, u.geom)) / ST_Area(c.geom) as share from grid_cells c,"
                " (select ST_Union(r.geom) as geom from response_circles r join grid_cells k on k.grid_code = %(code)s"
                "  and k.valid_to is null and r.geom && k.geom where r.tier_minutes = 3) u"
                " where c.grid_code = %(code)s and c.valid_to is null",
                {"code": code},
            ).fetchone()
            assert row is not None
            assert groups[code].tiers[1].area == pytest.approx(row["share"], abs=2e-3)
    (whole,) = coverage.groups("city")
    assert whole.incidents == sum(group.incidents for group in groups.values())
    assert whole.households == sum(group.households for group in groups.values())


def test_incidents_in_circles_of_their_own_zones_posts_are_told_apart(city: str) -> None:
    with connect(city) as connection:
        two_zones(connection)
        connection.execute("update incidents set zone_code = 'Z' || incident_id")  # one in each half
        (all_day,) = Coverage.read(connection).groups("city")
        by_zone = {group.code: group for group in Coverage.read(connection).groups("zone")}
    # both posts are in the west: Q's circle reaches the incident in the east, which is another zone's
    assert [tier.incidents for tier in all_day.tiers] == [1, 1, 1]
    assert [tier.own_incidents for tier in all_day.tiers] == [0.5, 0.5, 0.5]
    assert [by_zone[code].tiers[0].own_incidents for code in ("Z1", "Z2")] == [1, 0]


def test_it_is_told_over_http_within_ones_cells_with_the_clocks_beside(city: str, shared: Path) -> None:
    from tests.conftest import live_server
    from tests.identities import api_key, bearing

    with connect(city) as connection:
        connection.execute(
            "update incidents set grid_code = 'A', dispatched_at = received_at + interval '30 s', departed_at = received_at + interval '90 s',"
            " arrived_at = received_at + interval '200 s' where incident_id = 1"
        )
        connection.execute("update incidents set grid_code = 'D', arrived_at = received_at - interval '5 s',"
                           " dispatched_at = received_at, departed_at = received_at where incident_id = 2")  # fmt: skip
    with live_server(city) as url:
        with bearing(url, api_key(city, "supervisor")) as client:
            told = client.get("/response/coverage", params={"by": "city", "at": f"{TOMORROW}T12:00:00+08:00"}).json()
            assert (told["posts"], told["response_known"]) == (1, True)
            for by in ("city", "hour"):  # neither posts nor circles of then are kept
                past = client.get("/response/coverage", params={"by": by, "at": "2026-01-26T12:00:00+08:00"}).json()
                assert past == {"by": by, "posts": None, "response_known": False, "groups": []}
            assert client.get("/response/coverage").json()["response_known"]
            assert told["groups"][0]["tiers"][2]["area"] == pytest.approx(0.5, abs=1e-3)
            assert told["groups"][0]["incidents"] == 2
            (times,) = client.get("/response/times").json()
            assert (times["n"], times["out_of_order"], times["no_clock"]) == (1, 1, 0)
            assert (times["dispatch_p50_s"], times["turnout_p50_s"], times["travel_p90_s"]) == (30, 60, 110)
            assert (times["within_1"], times["within_3"]) == (0, 1)
            for by, counted in {"county": {"P": 2}, "township": {"A": 1, "D": 1}}.items():
                rows = client.get("/response/times", params={"by": by}).json()  # by ancestors, whatever their codes are
                assert {row["code"]: row["n"] + row["out_of_order"] for row in rows} == counted
        with bearing(url, api_key(city, "supervisor", ["A"])) as client:
            told = client.get("/response/coverage", params={"by": "city", "at": f"{TOMORROW}T12:00:00+08:00"}).json()
            assert told["groups"][0]["tiers"][0]["area"] == pytest.approx(0.5, abs=1e-3)
            assert told["groups"][0]["incidents"] == 1


def test_traffic_of_the_hour_shrinks_circles_but_not_those_of_files(city: str) -> None:
    from tests.conftest import live_server
    from tests.identities import api_key, bearing

    middle = (WEST + SIDE, SOUTH + SIDE)
    with connect(city) as connection, Router.opened(None, Estimate(6)) as router:
        connection.execute("delete from response_circles where post_code = 'P'")
        connection.execute(f"update police_posts set geom = {SPOT} where post_code = 'P'", middle)
        connection.execute(
            "update police_posts set key_periods = '23:00-24:00' where post_code = 'Q'"
        )  # circles of a file
        travel = Travel.of(Settings(response_speed_kmh=6))
        conditions = read_conditions(connection, travel, None)
        posts = [post for post in stale_posts(connection, conditions) if post["post_code"] == "P"]
        build_circles(connection, router, conditions, posts)
        (free,) = Coverage.read(connection).groups("city", datetime(2026, 11, 26, 12))
    with live_server(city, response_speed_kmh=6, response_traffic="08:00-09:00=2|23:00-24:00=3") as url, bearing(url, api_key(city, "supervisor")) as client:  # fmt: skip

        def told(by: str, hour: int) -> list[dict]:
            at = f"{TOMORROW}T{hour:02d}:30:00+08:00"
            return client.get("/response/coverage", params={"by": by, "at": at}).json()["groups"]

        (noon,), (rush,), (night,) = (told("city", hour) for hour in (12, 8, 23))
        hours = told("hour", 12)
    assert [tier["area"] for tier in noon["tiers"]] == [tier.area for tier in free.tiers]
    for then, now in zip(rush["tiers"], noon["tiers"], strict=True):
        assert then["area"] == pytest.approx(now["area"] / 4, rel=0.01)  # half as far
    assert night["tiers"][0]["area"] > 0.5  # Q's, as large as ever
    assert [noon["traffic_factor"], rush["traffic_factor"], night["traffic_factor"]] == [1, 2, 3]
    assert [hours[at]["tiers"] for at in (12, 8, 23)] == [noon["tiers"], rush["tiers"], night["tiers"]]
