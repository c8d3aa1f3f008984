"""Patrol segments 巡段: a point on a key road, or beside it, is told of the segment as well as of its zone."""

import asyncio
from pathlib import Path

import pytest
import shapely
from pandas import DataFrame

from geo_grid.boundaries import publish_zones
from geo_grid.coordinates import snap
from geo_grid.db import connect
from geo_grid.locate import Location
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.locate.test_current import locations
from tests.squares import SIDE, SOUTH, WEST, square

METRE = 1 / 111_000
ALONG = SOUTH + SIDE / 2
"""Latitude of the first road, which runs eastward; the second crosses it."""


@pytest.fixture
def city(small_city: str) -> str:
    lines = [
        shapely.LineString([(WEST, ALONG), (WEST + 2 * SIDE, ALONG)]),
        shapely.LineString([(WEST + SIDE / 2, SOUTH), (WEST + SIDE / 2, SOUTH + SIDE)]),
    ]
    rows = [("Z1", "area", square(0, 0)), ("S1", "segment", lines[0]), ("S2", "segment", lines[1])]
    zones = DataFrame(rows, columns=["zone_code", "zone_kind", "geometry"])
    zones = zones.assign(name=zones["zone_code"], zone_type="regular", responsible_unit="一所")
    with connect(small_city) as connection:
        publish_zones(connection, zones, "zones")
    return small_city


def both(conninfo: str, folder: Path, *places: tuple[float, float]) -> list[tuple[Location, Location]]:
    """The answers from memory and from PostGIS."""

    async def ask() -> list[tuple[Location, Location]]:
        async with locations(conninfo, folder) as kept:
            found = []
            for place in places:
                lon, lat = snap(place).tolist()
                snapshot = kept.snapshot()
                assert snapshot is not None
                memory = await kept.locate(lon, lat, None, 10)
                async with kept.reading() as connection:
                    now = (await (await connection.execute("select now() as now")).fetchone())["now"]
                found.append((memory, await kept.locate(lon, lat, now, 10)))
            return found

    return asyncio.run(ask())


def test_a_segment_within_50_m_answers_beside_the_zone(city: str, tmp_path: Path) -> None:
    lon = WEST + 1.25 * SIDE
    on, near, far, crossing = both(
        city, tmp_path, (lon, ALONG), (lon, ALONG + 49 * METRE), (lon, ALONG + 51 * METRE), (WEST + SIDE / 2, ALONG)
    )
    for memory, stored in (on, near, far, crossing):
        assert [one.zone_code for one in memory.patrol_segments] == [one.zone_code for one in stored.patrol_segments]
        for one, other in zip(memory.patrol_segments, stored.patrol_segments, strict=True):
            assert one.distance_m == pytest.approx(other.distance_m, abs=1e-3)
    told = {one.zone_code: one for one in near[0].patrol_segments}
    assert told.keys() == {"S1"}
    assert told["S1"].distance_m == pytest.approx(49, abs=0.2)
    assert (told["S1"].responsible_unit, told["S1"].zone_type) == ("一所", "regular")
    assert on[0].patrol_segments[0].distance_m == pytest.approx(0, abs=1e-6)
    assert far[0].patrol_segments == []
    assert {one.zone_code for one in crossing[0].patrol_segments} == {"S1", "S2"}
    assert crossing[0].patrol_zone is not None
    assert crossing[0].patrol_zone.zone_code == "Z1"  # the zone owns it as before


def test_a_dispatcher_s_card_names_the_segment(city: str) -> None:
    with live_server(city) as url, bearing(url, api_key(city, "dispatcher")) as client:
        card = client.get("/desk", params={"lon": WEST + SIDE / 2, "lat": ALONG + 10 * METRE}).json()
        segments = card["location"]["patrol_segments"]
        assert [one["zone_code"] for one in segments] == ["S2", "S1"]
        assert segments[1]["distance_m"] == pytest.approx(10, abs=0.1)
        assert card["location"]["patrol_zone"]["zone_code"] == "Z1"
