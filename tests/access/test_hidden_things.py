"""What whoever answers for one township learns of the others from constraints, counts and messages: nothing."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pandas import DataFrame

from geo_grid.boundaries import publish_zones
from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, square, two_by_two

IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
IN_D = (WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)
CAMERA, SECRET, FRESH = (f"1305020000131000000{n}" for n in (1, 2, 3))
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def city(small_city: str) -> Iterator[tuple[str, str]]:
    """Cells A to D, and in D a thing of every kind whose keys A's people do not see; in A a secret camera."""
    spot = "ST_SetSRID(ST_MakePoint(%s, %s), 4490)"
    with connect(small_city) as connection:
        zones = DataFrame({
            "zone_code": ["zone-A", "zone-D"], "name": "x", "zone_kind": "area", "zone_type": "regular",
            "responsible_unit": "x", "geometry": [square(0, 0), square(1, 1)],
        })  # fmt: skip
        publish_zones(connection, zones, "zones")
        for statement, place in (
            (f"insert into police_posts (post_code, name, geom) values ('post-D', 'x', {spot})", IN_D),
            (f"insert into police_posts (post_code, name, geom) values ('post-A', 'x', {spot})", IN_A),
            (f"insert into patrol_units (unit_code, name, unit_kind, geom) values ('unit-D', 'x', 'car', {spot})", IN_D),
            (f"insert into facilities (facility_code, facility_kind, name, geom) values ('school-D', 'school', 'x', {spot})", IN_D),
            (f"insert into cameras (gb28181_id, name, geom, grid_code) values ('{CAMERA}', 'x', {spot}, 'D')", IN_D),
            (f"insert into cameras (gb28181_id, name, is_secret, geom, grid_code) values ('{SECRET}', 'x', true, {spot}, 'A')", IN_A),
        ):  # fmt: skip
            connection.execute(statement, place)
    with live_server(small_city) as url:
        yield url, small_city


@pytest.fixture
def mine(city: tuple[str, str]) -> Iterator[httpx.Client]:
    """A planner who answers for A."""
    with bearing(city[0], api_key(city[1], "planner", ["A"])) as client:
        yield client


@pytest.fixture
def whole(city: tuple[str, str]) -> Iterator[httpx.Client]:
    """A planner who answers for the city, and sees secret cameras."""
    with bearing(city[0], api_key(city[1], "planner", sees_secret=True)) as client:
        yield client


def make(client: httpx.Client, layer: str, at: tuple[float, float] = IN_A, **properties: Any) -> httpx.Response:
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": at}, "properties": properties}
    return client.post(f"/collections/{layer}/items", json=feature)


@pytest.mark.parametrize(
    ("layer", "key", "hidden", "fresh", "more"),
    [
        ("police_posts", "post_code", "post-D", "post-X", {"name": "x"}),
        ("patrol_units", "unit_code", "unit-D", "unit-X", {"name": "x", "unit_kind": "car"}),
        ("facilities", "facility_code", "school-D", "school-X", {"name": "x", "facility_kind": "school"}),
        ("cameras", "gb28181_id", CAMERA, FRESH, {"name": "x"}),
        ("cameras", "gb28181_id", SECRET, FRESH, {"name": "x"}),
    ],
)
def test_a_key_that_is_taken_elsewhere_is_answered_as_one_that_is_not(
    mine: httpx.Client, layer: str, key: str, hidden: str, fresh: str, more: dict[str, str]
) -> None:
    taken = make(mine, layer, **{key: hidden}, **more)
    free = make(mine, layer, **{key: fresh}, **more)
    assert taken.status_code == free.status_code != 409, (taken.text, free.text)
    if taken.status_code != 201:
        assert taken.json()["detail"] == free.json()["detail"].replace(fresh, hidden)


def test_secret_cameras_are_no_secret_to_be_found_out_by_whoever_sees_the_city(
    city: tuple[str, str], whole: httpx.Client
) -> None:
    with bearing(city[0], api_key(city[1], "planner")) as blind:
        told = [make(blind, "cameras", gb28181_id=one, name="x") for one in (SECRET, FRESH)]
        assert [one.status_code for one in told] == [403, 403]
        assert told[0].json()["detail"] == told[1].json()["detail"]
        for local, answered in (("LOCAL-1", 201), ("LOCAL-1", 409)):
            assert make(blind, "cameras", gb28181_id=local, name="x").status_code == answered
        taken = blind.patch(f"/collections/cameras/items/{CAMERA}", json={"properties": {"platform_code": "P1"}})
        assert taken.status_code == 403
    assert make(whole, "cameras", gb28181_id=SECRET, name="x").status_code == 409


def test_a_national_number_is_given_by_who_sees_all_cameras(mine: httpx.Client, whole: httpx.Client) -> None:
    refused = make(mine, "cameras", gb28181_id=FRESH, name="x")
    assert (refused.status_code, "begins with LOCAL-" in refused.json()["detail"]) == (403, True)
    rows = f"gb28181_id,name,lon,lat\n{FRESH},x,{IN_A[0]},{IN_A[1]}\nLOCAL-1,y,{IN_A[0]},{IN_A[1]}\n"
    asked = {"layer": "cameras", "source_crs": "EPSG:4490", "skip_invalid": "true"}
    told = mine.post("/imports", data=asked, files={"file": ("c.csv", rows)}).text
    assert "begins with LOCAL-" in told
    assert make(mine, "cameras", gb28181_id="LOCAL-2", name="x").status_code == 201
    named = mine.patch("/collections/cameras/items/LOCAL-2", json={"properties": {"gb28181_id": FRESH}})
    assert (named.status_code, "begins with LOCAL-" in named.json()["detail"]) == (403, True)
    assert (
        whole.patch("/collections/cameras/items/LOCAL-2", json={"properties": {"gb28181_id": FRESH}}).status_code == 200
    )
    assert make(whole, "cameras", gb28181_id=FRESH, name="x").status_code == 409


def test_codes_of_posts_and_units_begin_with_ones_own_cell(mine: httpx.Client, whole: httpx.Client) -> None:
    assert make(mine, "police_posts", post_code="A-1", name="x").status_code == 201
    assert make(mine, "police_posts", post_code="A-1", name="x").status_code == 409  # they see that one
    assert make(mine, "police_posts", post_code="post-A", name="x").status_code == 409  # and that one
    for code in ("D-1", "P-1", "A1", "A", "-A", "AA-1"):
        refused = make(mine, "police_posts", post_code=code, name="x")
        assert (refused.status_code, "code of one of your grid cells" in refused.text) == (403, True), code
    assert make(whole, "police_posts", post_code="anything", name="x").status_code == 201


def test_a_file_tells_as_little(mine: httpx.Client) -> None:
    rows = "unit_code,name,unit_kind,lon,lat\n"
    for code in ("unit-D", "unit-X"):
        sent = mine.post(
            "/imports",
            data={"layer": "patrol_units", "source_crs": "EPSG:4490"},
            files={"file": ("u.csv", f"{rows}{code},x,car,{IN_A[0]},{IN_A[1]}\nA-{code},x,car,{IN_A[0]},{IN_A[1]}\n")},
        )
        assert sent.status_code < 300, sent.text
        told = sent.text.replace(code, "<code>")
        assert "not yours to give" in told
        assert "stored already" not in told


def test_a_unit_names_only_posts_and_zones_that_are_seen(
    mine: httpx.Client, whole: httpx.Client, city: tuple[str, str]
) -> None:
    number = itertools.count(1)

    def unit(**named: str) -> httpx.Response:
        return make(mine, "patrol_units", unit_code=f"A-{next(number)}", name="x", unit_kind="car", **named)

    for field, hidden, nothing in (("post_code", "post-D", "post-X"), ("zone_code", "zone-D", "zone-X")):
        taken, free = unit(**{field: hidden}), unit(**{field: nothing})
        assert taken.status_code == free.status_code == 409
        assert taken.json()["detail"] == free.json()["detail"].replace(nothing, hidden)
    made = unit(post_code="post-A", zone_code="zone-A")
    assert made.status_code == 201, made.text
    code = made.json()["properties"]["unit_code"]
    for field, hidden in (("post_code", "post-D"), ("zone_code", "zone-D")):
        changed = mine.patch(
            f"/collections/patrol_units/items/{code}", json={"properties": {field: hidden}}, headers=MERGE
        )
        assert changed.status_code == 409, changed.text
    # one that names it already, of before or by whoever sees both, does not hold it
    with connect(city[1]) as connection:
        connection.execute("update patrol_units set post_code = 'post-D' where unit_code = %s", (code,))
    with bearing(city[0], api_key(city[1], "planner", ["D"])) as theirs:
        removed = theirs.delete("/collections/police_posts/items/post-D")
        assert removed.status_code == 204, removed.text
    kept = mine.get(f"/collections/patrol_units/items/{code}").json()["properties"]
    assert kept["post_code"] is None
    assert whole.delete("/collections/police_posts/items/post-A").status_code == 204


def test_a_unit_that_drives_into_another_township_is_not_lost_to_its_own(city: tuple[str, str]) -> None:
    url, database = city

    def report(client: httpx.Client, at: tuple[float, float], second: int) -> dict[str, Any]:
        one = {
            "unit_code": "A-car", "lon": at[0], "lat": at[1], "unit_status": "dispatched",
            "reported_at": f"2026-01-01T00:00:{second:02}Z",
        }  # fmt: skip
        answer = client.post("/units/positions", json={"positions": [one]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    with (
        bearing(url, api_key(database, "supervisor", ["A"])) as mine,
        bearing(url, api_key(database, "supervisor", ["D"])) as theirs,
    ):
        assert make(mine, "patrol_units", unit_code="A-car", name="x", unit_kind="car").status_code == 201
        with connect(database) as connection:
            connection.execute("update patrol_units set reported_at = '2025-01-01' where unit_code = 'A-car'")
        assert report(theirs, IN_D, 1)["refused"][0]["reason"] == "there is no such unit"
        assert report(mine, IN_D, 2)["accepted"] == 1
        assert report(mine, IN_A, 3)["accepted"] == 1  # home again, reported by its own
        assert report(mine, IN_D, 4)["accepted"] == 1
        assert report(theirs, IN_A, 5)["refused"][0]["reason"] == "there is no such unit"  # there, but not theirs
        for client in (mine, theirs):  # seen where it belongs and where it is
            assert client.get("/collections/patrol_units/items/A-car").status_code == 200
        assert len(mine.get("/units/A-car/track?since=2026-01-01T00:00:00Z").json()["positions"]) == 3
        assert len(theirs.get("/units/A-car/track?since=2026-01-01T00:00:00Z").json()["positions"]) == 2
        name = {"properties": {"name": "y"}}
        car = "/collections/patrol_units/items/A-car"
        assert theirs.patch(car, json=name, headers=MERGE).status_code == 403
        assert theirs.delete(car).status_code == 403
        assert mine.patch(car, json=name, headers=MERGE).status_code == 200
        moved = {"geometry": {"type": "Point", "coordinates": (IN_D[0] + 0.001, IN_D[1])}}
        assert mine.patch(car, json=moved, headers=MERGE).status_code == 403  # by hand only within one's cells
        assert mine.delete(car).status_code == 204


def test_a_unit_of_ones_own_zone_is_reported_wherever_its_home_is(city: tuple[str, str]) -> None:
    url, database = city
    with connect(database) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, zone_code, reported_at, geom)"
            " values ('D-car', 'x', 'car', 'zone-A', '2025-01-01', ST_SetSRID(ST_MakePoint(%s, %s), 4490))", IN_D,
        )  # fmt: skip
        home = connection.execute("select home_code from patrol_units where unit_code = 'D-car'").fetchone()
    assert home == {"home_code": "D"}
    one = {"unit_code": "D-car", "lon": IN_D[0], "lat": IN_D[1], "reported_at": "2026-01-01T00:00:01Z"}
    for cell, accepted in (("A", 1), ("B", 0)):
        with bearing(url, api_key(database, "supervisor", [cell])) as client:
            answer = client.post("/units/positions", json={"positions": [one | {"unit_status": "dispatched"}]})
            assert answer.json()["accepted"] == accepted, answer.text


def test_a_units_home_is_where_its_post_is(database: str) -> None:
    def homes() -> dict[str, str | None]:
        with connect(database) as connection:
            rows = connection.execute("select unit_code, home_code from patrol_units").fetchall()
        return {row["unit_code"]: row["home_code"] for row in rows}

    spot = "ST_SetSRID(ST_MakePoint(%s, %s), 4490)"
    with connect(database) as connection:  # before there are boundaries
        connection.execute(f"insert into police_posts (post_code, name, geom) values ('p', 'x', {spot})", IN_A)
        for code, post in (("with", "p"), ("without", None)):
            connection.execute(
                f"insert into patrol_units (unit_code, name, unit_kind, post_code, geom) values (%s, 'x', 'car', %s, {spot})",
                (code, post, *IN_D),
            )
    assert homes() == {"with": None, "without": None}
    with connect(database) as connection:
        two_by_two(connection)
    assert homes() == {"with": "A", "without": "D"}
    with connect(database) as connection:
        connection.execute(f"update police_posts set geom = {spot}", (WEST + 1.5 * SIDE, SOUTH + SIDE / 2))
        connection.execute(f"update patrol_units set geom = {spot}", IN_A)  # as positions do
    assert homes() == {"with": "B", "without": "D"}


def test_totals_are_of_what_is_seen(city: tuple[str, str]) -> None:
    url, database = city
    with (
        bearing(url, api_key(database, "supervisor", ["A"])) as mine,
        bearing(url, api_key(database, "supervisor")) as all_of_it,
    ):
        for client, posts, units in ((all_of_it, 2, 1), (mine, 1, 0)):
            assert client.get("/response/coverage").json()["posts"] == posts
            live = client.get("/response/live").json()
            while live["as_of"] is None:
                assert live["total"] <= units
                live = client.get("/response/live").json()
            assert (live["free"], live["silent"]) == (units, 0)
            assert live["total"] <= units


def test_progress_counts_what_is_seen() -> None:
    from geo_grid.response.upkeep import Drawing

    drawing = Drawing(("a", "b", "c", "d"), 3)
    assert drawing.progress(None) == {"done": 3, "total": 4}
    assert drawing.progress(frozenset({"b", "d", "x"})) == {"done": 1, "total": 2}
    assert drawing.progress(frozenset()) == {"done": 0, "total": 0}


SAID, WHERE = "他说了什么", "人民路一号"
FILES = {
    "export": "/collections/incidents/export?f=csv",
    "table": "/collections/incidents/items?f=csv",
    "sequence": "/collections/incidents/items?f=geojsonseq",
}


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_files_hold_texts_of_incidents_only_when_asked(city: tuple[str, str], path: str) -> None:
    url, database = city
    with (
        bearing(url, api_key(database, "supervisor")) as supervisor,
        bearing(url, api_key(database, "planner")) as planner,
    ):
        call = {"lon": IN_A[0], "lat": IN_A[1], "category": "help", "description": SAID, "address": WHERE}
        assert supervisor.post("/incidents", json=call).status_code == 201
        asked = "&texts=true" if "export" in path else "&properties=category,description,address"
        for client, more, holds in ((supervisor, asked, True), (supervisor, "", False), (planner, "", False)):
            told = client.get(path + more).text
            assert "help" in told
            assert (SAID in told, WHERE in told) == (holds, holds)
        refused = planner.get(path + asked)
        assert SAID not in refused.text
        assert refused.status_code == (403 if "export" in path else 200)
    with connect(database) as connection:
        rows = connection.execute("select detail from access.audit_log where action = 'layer.export'").fetchall()
    assert ("csv+texts" in str(rows)) == ("export" in path)
