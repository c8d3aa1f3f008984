"""Features made, replaced, changed and removed over HTTP: once, whole, by whom it is for, and written down."""

import json
import threading

import httpx
import pytest
from owslib.ogcapi.features import Features
from pyproj import Transformer

from geo_grid.db import connect
from geo_grid.layers import REGISTRY
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

IN_A = [WEST + SIDE / 2, SOUTH + SIDE / 2]
IN_B = [WEST + 1.5 * SIDE, SOUTH + SIDE / 2]
CAMERA = "13050200001310000001"
MERGE = {"Content-Type": "application/merge-patch+json"}


def feature(at: list[float], **properties: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": at}, "properties": properties}


def school(at: list[float] = IN_A, code: str = "school-1", **more: object) -> dict[str, object]:
    return feature(at, **({"facility_code": code, "facility_kind": "school", "name": "第一小学"} | more))


def test_a_feature_lives(planner: httpx.Client, city: tuple[str, str]) -> None:
    made = planner.post("/collections/facilities/items", json=school())
    assert made.status_code == 201, made.text
    address = made.headers["location"]
    assert address.endswith("/collections/facilities/items/school-1")
    read = planner.get(address)
    assert read.headers["etag"] == made.headers["etag"]
    assert read.json()["properties"]["name"] == "第一小学"
    assert planner.get(address, headers={"If-None-Match": read.headers["etag"]}).status_code == 304

    changed = planner.patch(
        address, json={"properties": {"phone": "0319-1", "division_level": "county"}}, headers=MERGE
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["properties"]["name"] == "第一小学"
    assert changed.headers["etag"] != made.headers["etag"]
    gone = planner.patch(address, json={"properties": {"division_level": None}}, headers=MERGE)
    assert gone.json()["properties"]["division_level"] is None
    assert gone.json()["properties"]["phone"] == "0319-1"

    stale = planner.put(address, json=school(IN_B), headers={"If-Match": made.headers["etag"]})
    assert stale.status_code == 412
    assert "changed by somebody" in stale.json()["detail"]
    whole = planner.get(address).json()  # as a map program sends it back: with id, links and what the system knows
    whole["geometry"]["coordinates"] = IN_B
    replaced = planner.put(address, json=whole, headers={"If-Match": gone.headers["etag"]})
    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["geometry"]["coordinates"] == IN_B
    assert planner.put(address, json=school()).json()["properties"]["phone"] == ""  # not sent: its default

    assert planner.delete(address, headers={"If-Match": '"old"'}).status_code == 412
    assert planner.delete(address, headers={"If-Match": "*"}).status_code == 204
    assert planner.delete(address).status_code == 404
    with connect(city[1]) as connection:
        acts = connection.execute(
            "select action, detail from access.audit_log where object_id = 'school-1' order by audit_id"
        ).fetchall()
        told = connection.execute(
            "select count(*) as n from changes where kind = 'layer' and subject = 'facilities'"
        ).fetchone()
    assert [act["action"] for act in acts] == [
        "feature.create", "feature.change", "feature.change", "feature.change", "feature.change", "feature.delete",
    ]  # fmt: skip
    assert acts[1]["detail"]["phone"] == ["", "0319-1"]
    assert acts[-1]["detail"]["name"] == "第一小学"
    assert told is not None
    assert told["n"] == 6


def test_the_database_adds_what_it_knows(planner: httpx.Client) -> None:
    made = planner.post(
        "/collections/cameras/items", json=feature(IN_A, gb28181_id="LOCAL-1", grid_code="B", unassigned=True)
    )
    assert made.status_code == 201, made.text
    assert (
        made.json()["properties"] | {"grid_code": "A", "unassigned": False, "name": "LOCAL-1"}
        == made.json()["properties"]
    )
    moved = planner.patch(
        "/collections/cameras/items/LOCAL-1", json={"geometry": feature(IN_B)["geometry"]}, headers=MERGE
    )
    assert moved.json()["properties"]["grid_code"] == "B"


def test_a_posts_circles_follow_it(planner: httpx.Client) -> None:
    post = "/collections/police_posts/items"
    assert planner.post(post, json=feature(IN_A, post_code="P1", name="x")).status_code == 201
    before = planner.get("/collections/response_circles/items?sortby=tier_minutes").json()["features"]
    assert [circle["properties"]["tier_minutes"] for circle in before] == [1, 3, 5]
    assert planner.put(f"{post}/P1", json=feature(IN_B, name="x")).status_code == 200
    after = planner.get("/collections/response_circles/items?sortby=tier_minutes").json()["features"]
    assert len(after) == 3
    assert after[0]["geometry"] != before[0]["geometry"]
    unit = feature(IN_A, unit_code="U1", name="x", unit_kind="car", post_code="P1")
    assert planner.post("/collections/patrol_units/items", json=unit).status_code == 201
    kept = planner.delete(f"{post}/P1")
    assert kept.status_code == 409, kept.text
    assert planner.delete("/collections/patrol_units/items/U1").status_code == 204
    assert planner.delete(f"{post}/P1").status_code == 204
    assert planner.get("/collections/response_circles/items").json()["features"] == []


def test_coordinates_come_in_the_reference_system_that_is_named(planner: httpx.Client) -> None:
    for number, code in enumerate((4490, 3857, 4547)):
        crs = f"http://www.opengis.net/def/crs/EPSG/0/{code}"
        at = list(Transformer.from_crs("EPSG:4490", f"EPSG:{code}").transform(*IN_A[::-1]))  # in the register's order
        sent = planner.post(
            "/collections/facilities/items", json=school(at, f"s-{number}"), headers={"Content-Crs": f"<{crs}>"}
        )
        assert sent.status_code == 201, sent.text
        assert sent.json()["geometry"]["coordinates"] == pytest.approx(at, abs=0.005)
        stored = planner.get(f"/collections/facilities/items/s-{number}").json()["geometry"]["coordinates"]
        assert stored == pytest.approx(IN_A, abs=1e-7)


def test_only_within_ones_own_cells(city: tuple[str, str]) -> None:
    url, database = city
    address = "/collections/facilities/items"
    with (
        bearing(url, api_key(database, "planner", ["A"])) as mine,
        bearing(url, api_key(database, "planner")) as all_of_it,
    ):
        assert all_of_it.post(address, json=school(IN_B, "in-B")).status_code == 201
        assert mine.post(address, json=school(IN_A)).status_code == 201
        assert mine.post(address, json=school(IN_B, "x")).status_code == 403
        assert mine.patch(f"{address}/in-B", json={"properties": {"name": "x"}}, headers=MERGE).status_code == 404
        moved_out = mine.put(f"{address}/school-1", json=school(IN_B))
        assert moved_out.status_code == 403
        assert "none of your grid cells" in moved_out.json()["detail"]
        assert mine.delete(f"{address}/in-B").status_code == 404
        secret = feature(IN_A, gb28181_id=CAMERA, is_secret=True)
        assert mine.post("/collections/cameras/items", json=secret).status_code == 403
    with bearing(url, api_key(database, "planner", sees_secret=True)) as trusted:
        assert trusted.post("/collections/cameras/items", json=secret).status_code == 201
    with bearing(url, api_key(database, "planner", rights=["map"])) as reader:
        assert reader.post(address, json=school(IN_A, "x")).status_code == 403


def test_a_client_asks_what_it_may(planner: httpx.Client, city: tuple[str, str]) -> None:
    planner.post("/collections/facilities/items", json=school())
    with bearing(city[0], api_key(city[1], "dispatcher")) as dispatcher:
        for path, writes in {
            "facilities/items": "POST", "facilities/items/school-1": "PUT, PATCH, DELETE",
            "grid_cells/items": "", "grid_cells/items/A": "", "incidents/items": "",
        }.items():  # fmt: skip
            allowed = ", ".join(filter(None, ["GET, OPTIONS", writes]))
            assert planner.request("OPTIONS", f"/collections/{path}").headers["allow"] == allowed
            assert dispatcher.request("OPTIONS", f"/collections/{path}").headers["allow"] == "GET, OPTIONS"


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (school(code=""), 422, "facility_code"),
        (school(code="a b"), 422, "without spaces"),
        (feature(IN_A, facility_kind="school", name="x"), 422, "facility_code"),
        (feature(IN_A, facility_code="x", facility_kind="castle", name="x"), 422, "facility_kind"),
        (school(colour="red"), 422, "colour"),
        (school([200.0, 37.0]), 422, "out of range"),
        (school(IN_A[::-1]), 422, "swapped"),
        (
            school() | {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}},
            422,
            "Polygon",
        ),
        (school() | {"geometry": {"type": "Point", "coordinates": []}}, 422, "empty"),
        (school() | {"geometry": {"type": "Blob"}}, 422, "no GeoJSON"),
        (school() | {"geometry": None}, 422, "geometry"),
        (school() | {"type": "FeatureCollection"}, 422, "type"),
        ([1, 2], 422, "body"),
        (school(name="x" * 201), 422, "name"),
        (school(name="a\x00b"), 422, "character NUL"),
        (school(name="a\u202eb"), 422, "U+202E"),
        (school(**{"\udfff": "a name that is no text"}), 422, "properties"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_made(
    refused: httpx.Client, sent: object, status: int, words: str
) -> None:
    answer = refused.post(
        "/collections/facilities/items", content=json.dumps(sent), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert refused.get("/collections/facilities/items").json()["numberReturned"] == 0


def test_refusals_say_the_way(planner: httpx.Client) -> None:
    planner.post("/collections/facilities/items", json=school())
    again = planner.post("/collections/facilities/items", json=school())
    assert (again.status_code, "stored already" in again.text) == (409, True)
    renamed = planner.put("/collections/facilities/items/school-1", json=school(code="school-2"))
    assert (renamed.status_code, "stays" in renamed.text) == (422, True)
    form = planner.post("/collections/facilities/items", content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert form.status_code in (415, 422)
    crs = planner.post("/collections/facilities/items", json=school(), headers={"Content-Crs": "<EPSG:2381>"})
    assert (crs.status_code, "not offered" in crs.text) == (422, True)
    unknown = planner.post(
        "/collections/patrol_units/items", json=feature(IN_A, unit_code="U", name="x", unit_kind="car", post_code="?")
    )
    assert unknown.status_code == 409, unknown.text
    for layer in REGISTRY.values():
        if not layer.is_editable:
            refused = planner.post(f"/collections/{layer.name}/items", json=school())
            assert refused.status_code == 405, layer.name
            assert "cannot be edited here" in refused.json()["detail"]
    assert planner.post("/collections/facilities/items?x=1", json=school()).status_code == 400


def test_of_two_who_change_the_same_state_one_is_told(planner: httpx.Client, city: tuple[str, str]) -> None:
    made = planner.post("/collections/facilities/items", json=school())
    address, statuses = made.headers["location"], []

    def change(number: int) -> None:
        with bearing(city[0], planner.headers["authorization"].split()[1]) as client:
            body = {"properties": {"member_count": number}}
            statuses.append(
                client.patch(address, json=body, headers={**MERGE, "If-Match": made.headers["etag"]}).status_code
            )

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[412] * 7]


def test_owslib_edits(city: tuple[str, str]) -> None:
    headers = {"Authorization": f"Bearer {api_key(city[1], 'planner')}", "Content-Type": "application/geo+json"}
    client = Features(city[0], headers=headers)
    assert client.collection_item_create("facilities", json.dumps(school()))
    assert client.collection_item_update("facilities", "school-1", json.dumps(school(member_count=7)))
    assert client.collection_item("facilities", "school-1")["properties"]["member_count"] == 7
    assert client.collection_item_delete("facilities", "school-1")
    with pytest.raises(RuntimeError, match="404"):
        client.collection_item("facilities", "school-1")
