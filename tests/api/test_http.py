"""What clients see: answers, and an error that says what to do for everything that is wrong."""

import threading
import time
import uuid
from collections import Counter
from typing import ClassVar

import httpx
import pytest

from geo_grid.db import Cluster, connect, read_migrations
from tests.conftest import live_server
from tests.databases import ROOT, new_database
from tests.identities import api_key, bearing, logged_in, user
from tests.squares import SIDE, SOUTH, STEP, WEST

HERE = {"lon": 114.5043, "lat": 37.0682}


def problem(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def test_a_point_in_the_city_has_a_chain_with_duties_a_zone_and_circles(demo_client: httpx.Client) -> None:
    found = demo_client.get("/locate", params=HERE).json()
    assert found["point"] == pytest.approx([114.5043, 37.0682], abs=2**-26)  # as used: on the lattice
    assert [cell["grid_level"] for cell in found["grid_cells"]] == [1, 2, 3, 4, 5]
    assert found["grid_cells"][0]["name"] == "襄都区"
    for outer, inner in zip(found["grid_cells"][2:], found["grid_cells"][3:], strict=False):
        assert inner["grid_code"].startswith(outer["grid_code"])
    assert found["grid_cells"][2]["grid_lead"]
    assert [duty["duty_role"] for duty in found["grid_cells"][3]["duties"]][-1] == "grid_manager"
    assert found["patrol_zone"]["responsible_unit"].endswith("派出所")
    assert {"tier_minutes", "post_code", "method"} <= found["response"][0].keys()
    assert found["response"][0]["method"] == "geodesic_estimate"
    assert found["distance_to_boundary_m"] > 0
    assert found["unassigned"] is False
    assert found["edition"] == 1


def test_the_same_place_in_other_coordinates_has_the_same_owner(demo_client: httpx.Client) -> None:
    from pyproj import Transformer

    x, y = Transformer.from_crs(4490, 4547, always_xy=True).transform(HERE["lon"], HERE["lat"])
    plain = demo_client.get("/locate", params=HERE).json()
    projected = demo_client.get("/locate", params={"lon": x, "lat": y, "source_crs": "EPSG:4547"}).json()
    assert projected["grid_cells"] == plain["grid_cells"]
    shifted = demo_client.get("/locate", params={**HERE, "source_crs": "GCJ-02"}).json()
    assert shifted["point"] != plain["point"]


def test_a_point_outside_is_answered_as_unassigned(demo_client: httpx.Client) -> None:
    found = demo_client.get("/locate", params={"lon": 0, "lat": 0}).json()
    assert found["unassigned"]
    assert found["grid_cells"] == []
    assert found["patrol_zone"] is None


def test_before_the_first_edition_there_was_no_owner(demo_client: httpx.Client) -> None:
    found = demo_client.get("/locate", params={**HERE, "at": "2001-01-01T00:00:00+08:00"}).json()
    assert found["unassigned"]
    assert found["edition"] is None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("lon=nan&lat=37", "finite"),
        ("lon=114.5&lat=inf", "finite"),
        ("lon=200&lat=37", "out of range"),
        ("lon=37.0682&lat=114.5043", "swapped"),
        ("lon=abc&lat=37", "number"),
        ("lon=114.5", "lat"),
        ("lon=114.5&lat=37&source_crs=EPSG:4610", "no public transformation"),
        ("lon=114.5&lat=37&source_crs=nonsense", "EPSG:4490"),
        ("lon=114.5&lat=37&at=yesterday", "datetime"),
        ("lon=114.5&lat=37&at=1767225600", "2026-11-25T08:00:00Z"),
    ],
)
@pytest.mark.parametrize("path", ["/locate", "/desk"])
def test_bad_points_are_refused_with_the_reason(demo_client: httpx.Client, path: str, query: str, says: str) -> None:
    if path == "/desk" and query == "lon=114.5":
        says = "lon and lat"
    assert says in problem(demo_client.get(f"{path}?{query}"), 422)["detail"]


def test_the_desk_answers_everything_nearest_first(demo_client: httpx.Client) -> None:
    card = demo_client.get("/desk", params=HERE).json()
    assert card["location"]["grid_cells"][0]["name"] == "襄都区"
    for kind in ("posts", "units", "cameras", "facilities"):
        distances = [thing["distance_m"] for thing in card[f"nearest_{kind}"]]
        assert distances == sorted(distances)
        assert len(distances) >= 5
    assert "incident" in card


def test_the_nearest_are_really_the_nearest(demo: str, demo_client: httpx.Client) -> None:
    """Against every camera measured, because degrees east are shorter than degrees north."""
    with connect(demo) as connection:
        rows = connection.execute(
            "select gb28181_id from cameras where not is_secret order by ST_Distance(geom::geography,"
            " ST_SetSRID(ST_MakePoint(115.02, 37.06), 4490)::geography) limit 8"
        ).fetchall()
    card = demo_client.get("/desk", params={"lon": 115.02, "lat": 37.06}).json()
    assert [c["code"] for c in card["nearest_cameras"]] == [r["gb28181_id"] for r in rows]


def test_secret_cameras_are_shown_to_nobody_yet(demo: str, demo_client: httpx.Client) -> None:
    with connect(demo) as connection:
        place = connection.execute(
            "select ST_X(geom) as lon, ST_Y(geom) as lat, gb28181_id as id from cameras where is_secret limit 1"
        ).fetchone()
    lon, lat = place["lon"], place["lat"]
    assert place["id"] not in demo_client.get("/desk", params={"lon": lon, "lat": lat}).text
    bbox = f"{lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}"
    assert place["id"] not in demo_client.get(f"/collections/cameras/items?bbox={bbox}&zoom=18").text


def test_the_desk_wants_a_point_or_an_incident(demo_client: httpx.Client) -> None:
    assert "either" in problem(demo_client.get("/desk"), 422)["detail"]
    assert "either" in problem(demo_client.get("/desk?lon=1&lat=1&incident=1"), 422)["detail"]
    problem(demo_client.get("/desk?incident=999999999"), 404)


class TestIncidents:
    @pytest.fixture
    def database(self, small_city: str) -> str:
        """libpq connection string of a city of four cells, for `client`."""
        return small_city

    CALL: ClassVar = {
        "lon": WEST + SIDE / 2,
        "lat": SOUTH + SIDE / 2,
        "category": "治安",
        "description": "测试",
        "caller_number": "13912345678",
    }

    def test_filing_one_gives_it_an_owner_at_once(self, client: httpx.Client) -> None:
        answer = client.post("/incidents", json=self.CALL)
        assert answer.status_code == 201
        made = answer.json()
        assert answer.headers["location"] == f"/incidents/{made['incident_id']}"
        assert (made["grid_code"], made["grid_name"], made["edition_id"], made["unassigned"]) == ("A", "A", 1, False)
        assert made["step"] == "reported"
        assert made["is_open"] is True
        assert client.get(answer.headers["location"]).json() == made
        assert client.get("/desk", params={"incident": made["incident_id"]}).json()["incident"] == made
        assert client.get("/incidents").json()["incidents"] == [made]

    def test_callers_are_masked(self, client: httpx.Client) -> None:
        made = client.post("/incidents", json=self.CALL).json()
        assert made["caller_number"] == "*********78"
        assert "1391234" not in client.get("/incidents").text

    def test_one_outside_everything_is_stored_and_flagged(self, client: httpx.Client) -> None:
        made = client.post("/incidents", json={**self.CALL, "lon": 120, "lat": 30}).json()
        assert made["unassigned"]
        assert made["grid_code"] is None
        assert [i["incident_id"] for i in client.get("/incidents?unassigned=true").json()["incidents"]] == [
            made["incident_id"]
        ]

    def test_the_same_key_gives_the_same_incident_once(self, client: httpx.Client) -> None:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = client.post("/incidents", json=self.CALL, headers=key)
        again = client.post("/incidents", json=self.CALL, headers=key)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        other = client.post("/incidents", json={**self.CALL, "category": "交通"}, headers=key)
        assert "already used" in problem(other, 409)["detail"]
        assert len(client.get("/incidents").json()["incidents"]) == 1

    def test_twenty_at_once_with_one_key_make_one(self, client: httpx.Client) -> None:
        answers: list[httpx.Response] = []
        key = {"Idempotency-Key": "one call"}
        threads = [
            threading.Thread(target=lambda: answers.append(client.post("/incidents", json=self.CALL, headers=key)))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
        assert len({a.json()["incident_id"] for a in answers}) == 1

    def test_text_that_sql_or_html_could_take_for_its_own_comes_back_as_it_was(self, client: httpx.Client) -> None:
        text = "'; drop table incidents; -- <script>alert(`1`)</script> ${1} \u202e\u0000".replace("\u0000", "")
        made = client.post("/incidents", json={**self.CALL, "description": text, "address": text}).json()
        assert client.get(f"/incidents/{made['incident_id']}").json()["description"] == text.strip()

    def test_pages_lead_through_all_of_them_newest_first(self, client: httpx.Client) -> None:
        for second in range(7):
            client.post("/incidents", json={**self.CALL, "received_at": f"2026-01-01T00:00:0{second % 3}Z"})
        seen, address = [], "/incidents?limit=3"
        while address:
            page = client.get(address).json()
            seen += page["incidents"]
            address = page["next"]
        assert len({i["incident_id"] for i in seen}) == 7
        assert [(i["received_at"], i["incident_id"]) for i in seen] == sorted(
            ((i["received_at"], i["incident_id"]) for i in seen), reverse=True
        )

    def test_on_an_edge_the_smallest_code_owns(self, client: httpx.Client) -> None:
        edge = client.post("/incidents", json={**self.CALL, "lon": WEST + SIDE, "lat": SOUTH + SIDE}).json()
        beside = client.post("/incidents", json={**self.CALL, "lon": WEST + SIDE + STEP, "lat": SOUTH + SIDE}).json()
        assert (edge["grid_code"], beside["grid_code"]) == ("A", "B")


class TestRefusedIncidents:
    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"category": ""}, "category"),
            ({"category": "x" * 101}, "category"),
            ({"lon": "east"}, "lon"),
            ({"lon": SOUTH, "lat": WEST}, "swapped"),
            ({"lat": 95}, "swapped|out of range"),
            ({"source_crs": "EPSG:4610"}, "no public transformation"),
            ({"received_at": "2099-01-01T00:00:00Z"}, "future"),
            ({"received_at": "2026-01-01T00:00:00"}, "time zone"),
            ({"id_card_number": "130502"}, "id_card_number"),
        ],
    )
    def test_bad_ones_are_refused_and_not_stored(self, refused: httpx.Client, changed: dict, says: str) -> None:
        detail = problem(refused.post("/incidents", json={**TestIncidents.CALL, **changed}), 422)["detail"]
        assert any(part in detail for part in says.split("|"))
        assert refused.get("/incidents").json()["incidents"] == []

    def test_bodies_that_are_no_json_are_refused(self, refused: httpx.Client) -> None:
        problem(refused.post("/incidents", content=b"{not json", headers={"content-type": "application/json"}), 422)
        problem(refused.post("/incidents", content=b'{"lon": NaN, "lat": 37, "category": "x"}',
                            headers={"content-type": "application/json"}), 422)  # fmt: skip

    def test_a_zero_byte_is_refused_not_crashed_on(self, refused: httpx.Client) -> None:
        problem(refused.post("/incidents", json={**TestIncidents.CALL, "description": "a\u0000b"}), 422)

    @pytest.mark.parametrize(
        "path",
        [
            "/incidents/0",
            "/incidents/abc",
            "/incidents/99999999999999999999",
            "/incidents?limit=0",
            "/incidents?before=x",
        ],
    )
    def test_bad_questions(self, refused: httpx.Client, path: str) -> None:
        problem(refused.get(path), 422)

    def test_unknown_incidents(self, refused: httpx.Client) -> None:
        problem(refused.get("/incidents/12345"), 404)
        problem(refused.get("/incidents?before=12345"), 404)


class TestCollections:
    def test_the_layers_describe_themselves(self, demo_client: httpx.Client) -> None:
        found = demo_client.get("/collections").json()["collections"]
        assert [c["id"] for c in found] == ["grid_cells", "patrol_zones", "police_posts", "response_circles",
                                            "patrol_units", "incidents", "cameras", "facilities", "registered_places", "road_closures", "roads", "base_features"]  # fmt: skip
        assert "gb28181_id" in demo_client.get("/collections/cameras/queryables").json()["properties"]

    @pytest.mark.parametrize(("zoom", "level"), [(8, 1), (10, 2), (12, 3), (14, 4)])
    def test_cells_come_at_the_level_that_fits_the_zoom(self, demo_client: httpx.Client, zoom: int, level: int) -> None:
        found = demo_client.get(f"/collections/grid_cells/items?bbox=114.6,37.2,114.7,37.3&zoom={zoom}")
        assert found.headers["content-type"] == "application/geo+json"
        assert {f["properties"]["grid_level"] for f in found.json()["features"]} == {level}

    def test_where_there_are_no_building_blocks_the_finest_cells_are_shown(self, demo_client: httpx.Client) -> None:
        found = demo_client.get("/collections/grid_cells/items?bbox=114.4,37.0,114.55,37.1&zoom=17").json()
        assert {f["properties"]["grid_level"] for f in found["features"]} == {4, 5}

    def test_cameras_are_counted_from_afar_and_shown_near_by(self, demo: str, demo_client: httpx.Client) -> None:
        far = demo_client.get("/collections/cameras/items?bbox=113,36,117,39&zoom=9").json()["features"]
        with connect(demo) as connection:
            total = connection.execute("select count(*) as n from cameras where not is_secret").fetchone()["n"]
        assert sum(f["properties"]["point_count"] for f in far) == total
        near = demo_client.get("/collections/cameras/items?bbox=114.50,37.06,114.51,37.07&zoom=17").json()["features"]
        assert near
        assert all("gb28181_id" in f["properties"] for f in near)

    def test_facilities_are_counted_by_kind_from_afar(self, demo: str, demo_client: httpx.Client) -> None:
        far = demo_client.get("/collections/facilities/items?bbox=113,36,117,39&zoom=9").json()["features"]
        counts = Counter[str]()
        for feature in far:
            counts[feature["properties"]["facility_kind"]] += feature["properties"]["point_count"]
        with connect(demo) as connection:
            rows = connection.execute("select facility_kind, count(*) as n from facilities group by 1").fetchall()
        assert dict(counts) == {row["facility_kind"]: row["n"] for row in rows}
        near = demo_client.get("/collections/facilities/items?bbox=114.50,37.06,114.52,37.08&zoom=12").json()[
            "features"
        ]
        assert near
        assert all("facility_code" in feature["properties"] for feature in near)

    def test_more_than_the_limit_is_said(self, demo_client: httpx.Client) -> None:
        found = demo_client.get("/collections/facilities/items?bbox=113,36,117,39&zoom=22&limit=10").json()
        assert found["truncated"]
        assert len(found["features"]) == 10

    @pytest.mark.parametrize("bbox", ["1,2,3", "a,b,c,d", "nan,1,2,3", "1,5,2,3", "1,2,3,400", "", "1,2,3,4,5"])
    def test_bad_boxes(self, demo_client: httpx.Client, bbox: str) -> None:
        assert "bbox" in problem(demo_client.get("/collections/cameras/items", params={"bbox": bbox}), 400)["detail"]

    def test_unknown_layers_name_the_known_ones(self, demo_client: httpx.Client) -> None:
        for path in ("/collections/persons", "/collections/persons/items?bbox=1,1,2,2"):
            assert "grid_cells" in problem(demo_client.get(path), 404)["detail"]


class TestThePagesAround:
    def test_docs_load_nothing_from_outside(self, demo: str, demo_server: str, demo_client: httpx.Client) -> None:
        with logged_in(demo_server, user(demo, "dispatcher")) as person:  # machines read /openapi.json
            page = person.get("/docs").text
        assert "http://" not in page
        assert "https://" not in page
        for path in (
            "/static/vendor/swagger-ui/swagger-ui-bundle.js",
            "/static/vendor/swagger-ui/swagger-ui.css",
            "/static/icon.svg",
        ):
            assert path in page
            assert demo_client.get(path).status_code == 200

    def test_scripts_are_compressed_once_and_say_so(self, demo_client: httpx.Client) -> None:
        """Compressed again for each reader, one stranger's thirty connections made everybody wait for two seconds."""
        path = "static/vendor/leaflet/leaflet.js"
        written = (ROOT / path).read_bytes()
        plain = demo_client.get(f"/{path}", headers={"Accept-Encoding": "identity"})
        first, again = (demo_client.get(f"/{path}", headers={"Accept-Encoding": "gzip"}) for _ in range(2))
        assert plain.content == first.content == again.content == written
        assert "content-encoding" not in plain.headers
        for packed in (first, again):
            assert packed.headers["content-encoding"] == "gzip"
            assert int(packed.headers["content-length"]) < len(written) / 2  # known before the first byte: not a stream
            assert packed.headers["vary"] == "Accept-Encoding" == plain.headers["vary"]
            assert packed.headers["etag"] == plain.headers["etag"]
        known = demo_client.get(f"/{path}", headers={"If-None-Match": first.headers["etag"]})
        assert known.status_code == 304
        part = demo_client.get(f"/{path}", headers={"Range": "bytes=5-14", "Accept-Encoding": "identity"})
        assert (part.status_code, part.content) == (206, written[5:15])

    def test_the_openapi_document_names_every_route_and_typed_answers(self, demo_client: httpx.Client) -> None:
        document = demo_client.get("/openapi.json").json()
        assert {
            "/locate",
            "/desk",
            "/incidents",
            "/incidents/{incident_id}",
            "/collections",
            "/healthz",
            "/readyz",
        } <= document["paths"].keys()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if method == "options":
                    continue  # says it in headers
                success = next((r for code, r in operation["responses"].items() if code in ("200", "201", "202")), None)
                if success is None:
                    assert operation["responses"].keys() & {"204", "303"}, path
                    continue
                assert any("schema" in c and c["schema"] for c in success["content"].values()), path

    def test_unknown_addresses_and_methods(self, demo_client: httpx.Client) -> None:
        problem(demo_client.get("/nothing/here"), 404)
        problem(demo_client.delete("/locate"), 405)
        problem(demo_client.get("/static/../pyproject.toml"), 404)
        problem(demo_client.get("/static/%2e%2e/pyproject.toml"), 404)

    def test_health_and_readiness(self, demo_client: httpx.Client) -> None:
        assert demo_client.get("/healthz").json() == {"status": "ok"}
        readiness = demo_client.get("/readyz").json()
        assert {"point_snapshot", "identities"} <= {state["name"] for state in readiness.pop("derived")}
        assert readiness == {
            "status": "ready",
            "warnings": [],
            "migration": len(read_migrations()),
            "edition": 1,
            "is_demo": True,
            "index_edition": 1,
        }

    def test_pages_run_their_own_scripts_only_and_other_answers_none(self, demo_client: httpx.Client) -> None:
        policies = [demo_client.get("/maps/wall").headers["content-security-policy"] for _ in range(2)]
        assert policies[0] != policies[1]  # a nonce is used once
        for policy in policies:
            scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
            assert "unsafe" not in scripts
            assert "http" not in policy
        for path in ("/locate?lon=0&lat=0", "/nothing", "/static/icon.svg", "/openapi.json"):
            answer = demo_client.get(path)
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"

    def test_every_answer_has_a_request_id(self, demo_client: httpx.Client) -> None:
        ids = {demo_client.get("/healthz").headers["x-request-id"] for _ in range(3)}
        assert len(ids) == 3


def test_without_a_database_the_server_stays_up_says_so_and_heals(cluster: Cluster) -> None:
    import psycopg

    with new_database(cluster, "coming_and_going") as conninfo, live_server(conninfo) as url:
        with bearing(url, api_key(conninfo, "supervisor")) as client:
            assert client.get("/incidents").status_code == 200
            with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as admin:
                admin.execute("alter database coming_and_going with allow_connections false")
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'coming_and_going'"
                )
                answer = client.get("/incidents")
                assert "database cannot be reached" in problem(answer, 503)["detail"]
                assert answer.headers["retry-after"]
                deadline = time.monotonic() + 90
                while client.get("/locate", params=HERE).status_code == 200:  # from memory, for some seconds
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                problem(client.get("/locate", params=HERE), 503)
                assert client.get("/healthz").status_code == 200
                admin.execute("alter database coming_and_going with allow_connections true")
            deadline = time.monotonic() + 90
            while client.get("/readyz").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.3)
