"""OGC API Features: what it answers equals what PostGIS holds, to our own client and to GDAL's and OWSLib's."""

import io
import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pandas as pd
import psycopg
import pyogrio
import pytest
import shapely
from owslib.ogcapi.features import Features
from pyproj import Transformer

from geo_grid.boundaries import publish_cells
from geo_grid.db import connect
from geo_grid.layers import REGISTRY
from geo_grid.layers.published import PUBLISHED
from tests.api.test_http import problem
from tests.squares import SIDE, SOUTH, WEST, cells, square, two_by_two

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def ids(answer: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in answer["features"]]


def everything(client: httpx.Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All features, page by page, by the links that the answers bear."""
    answer = client.get(path, params={"limit": 1000, **parameters}).json()
    found = list(answer["features"])
    while link := next((link for link in answer["links"] if link["rel"] == "next"), None):
        answer = client.get(link["href"]).json()
        found += answer["features"]
    return found


def counted(conninfo: str, statement: str, *values: Any) -> int:
    with connect(conninfo) as connection:
        return int(connection.execute(f"select count(*) as n from {statement}", values or None).fetchone()["n"])


class TestTheDoor:
    def test_a_program_finds_its_way_from_the_landing_page(self, demo_client: httpx.Client) -> None:
        links = {link["rel"]: link["href"] for link in demo_client.get("/").json()["links"]}
        assert demo_client.get(links["service-desc"]).json()["openapi"].startswith("3.")
        assert any("ogcapi-features-1" in uri for uri in demo_client.get(links["conformance"]).json()["conformsTo"])
        for collection in demo_client.get(links["data"]).json()["collections"]:
            assert collection["crs"][1:] == list(PUBLISHED)
            for link in collection["links"]:
                if link["rel"] == "items" and "f=json" in link["href"]:
                    assert demo_client.get(link["href"]).json()["numberReturned"] <= 10
                elif link["rel"] != "items":
                    assert demo_client.get(link["href"]).status_code == 200, link

    def test_a_person_is_shown_pages(self, demo_client: httpx.Client) -> None:
        browser = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "en"}
        for path in ("/conformance", "/collections", "/collections/cameras", "/collections/cameras/items",
                     "/collections/grid_cells/items/130502"):  # fmt: skip
            answer = demo_client.get(path, headers=browser)
            assert answer.headers["content-type"].startswith("text/html"), path
            assert "nonce-" in answer.headers["content-security-policy"]
            assert "http" not in answer.headers["content-security-policy"]


class TestItems:
    def test_pages_hold_every_feature_once(self, demo: str, demo_client: httpx.Client) -> None:
        for layer in ("facilities", "police_posts", "grid_cells"):
            found = everything(demo_client, f"/collections/{layer}/items")
            total = counted(demo, f"{layer}{' where valid_to is null' if layer == 'grid_cells' else ''}")
            assert len({feature["id"] for feature in found}) == len(found) == total

    def test_a_page_tells_its_time_how_much_it_holds_and_where_others_are(self, demo_client: httpx.Client) -> None:
        answer = demo_client.get("/collections/facilities/items", params={"limit": 3})
        page = answer.json()
        assert answer.headers["content-type"] == "application/geo+json"
        assert page["numberReturned"] == len(page["features"]) == 3
        assert abs(datetime.now(UTC) - datetime.fromisoformat(page["timeStamp"])).total_seconds() < 60
        links = {(link["rel"], link["type"]): link["href"] for link in page["links"]}
        assert demo_client.get(links["self", "application/geo+json"]).json()["features"] == page["features"]
        after = demo_client.get(links["next", "application/geo+json"]).json()
        assert not set(ids(page)) & set(ids(after))
        assert ("alternate", "text/html") in links

    def test_pages_stay_whole_while_rows_come(self, client: httpx.Client, database: str) -> None:
        row = "insert into facilities (facility_code, facility_kind, name, geom) select 'F' || n, 'school', 'x', 'SRID=4490;POINT(114.5 37)'::geometry from generate_series(%s::int, %s::int) n"
        with connect(database) as connection:
            connection.execute(row, (1, 20))
        first = client.get("/collections/facilities/items?limit=10&sortby=-facility_code").json()
        with connect(database) as connection:
            connection.execute(row, (21, 40))
            connection.execute("delete from facilities where facility_code = %s", (first["features"][-1]["id"],))
        following = next(link["href"] for link in first["links"] if link["rel"] == "next")
        second = client.get(following).json()
        assert not set(ids(first)) & set(ids(second))
        assert ids(second) == sorted(ids(second), reverse=True)

    @pytest.mark.parametrize("sort", ["azimuth_deg", "-azimuth_deg", "camera_state,-name", "-edition_id,ptz_type"])
    def test_sorted_pages_are_postgresqls_order(self, demo: str, demo_client: httpx.Client, sort: str) -> None:
        box = {"bbox": "114.5,37.05,114.51,37.07"}
        found = everything(demo_client, "/collections/cameras/items", sortby=sort, limit=7, **box)
        order = ", ".join(f"{k.lstrip('-')} {'desc' if k[0] == '-' else 'asc'} nulls last" for k in sort.split(","))
        with connect(demo) as connection:
            rows = connection.execute(
                "select gb28181_id from cameras"
                " left join (select camera_id, state as camera_state from camera_states) s using (camera_id) where geom && ST_MakeEnvelope(114.5, 37.05, 114.51, 37.07, 4490)"
                f" and not is_secret order by {order}, camera_id"
            ).fetchall()
        assert [f["id"] for f in found] == [row["gb28181_id"] for row in rows]
        assert len(rows) > 14

    def test_a_box_finds_what_it_touches_and_not_what_only_its_box_does(
        self, demo: str, demo_client: httpx.Client
    ) -> None:
        box = (114.505, 37.06, 114.506, 37.061)
        found = everything(demo_client, "/collections/grid_cells/items", bbox=",".join(map(str, box)))
        with connect(demo) as connection:
            rows = connection.execute(
                "select grid_code from grid_cells where ST_Intersects(geom, ST_MakeEnvelope(%s, %s, %s, %s, 4490))", box
            ).fetchall()
        assert {f["id"] for f in found} == {row["grid_code"] for row in rows}

    def test_a_box_across_180_degrees(self, client: httpx.Client, database: str) -> None:
        with connect(database) as connection:
            for code, lon in (("east", 179.5), ("west", -179.5), ("far", 0)):
                connection.execute(
                    "insert into facilities (facility_code, facility_kind, name, geom)"
                    " values (%s, 'school', 'x', ST_SetSRID(ST_MakePoint(%s, 0), 4490))",
                    (code, lon),
                )
        assert set(ids(client.get("/collections/facilities/items?bbox=179,-1,-179,1").json())) == {"east", "west"}

    @pytest.mark.parametrize("uri", PUBLISHED)
    def test_every_reference_system_with_its_axis_order(self, demo_client: httpx.Client, uri: str) -> None:
        plain = demo_client.get("/collections/police_posts/items?limit=5").json()["features"]
        answer = demo_client.get("/collections/police_posts/items", params={"limit": 5, "crs": uri})
        assert answer.headers["content-crs"] == f"<{uri}>"
        code = int(uri.rpartition("/")[2]) if uri.startswith(EPSG) else "OGC:CRS84"
        to = Transformer.from_crs("OGC:CRS84", code)  # in the order of the register
        for before, after in zip(plain, answer.json()["features"], strict=True):
            expected = to.transform(*before["geometry"]["coordinates"])
            assert after["geometry"]["coordinates"] == pytest.approx(
                expected, abs=2e-3 if code in (3857, 4547) else 2e-8
            )
        box = [*answer.json()["features"][0]["geometry"]["coordinates"]] * 2
        wide = 20 if code in (3857, 4547) else 0.0002
        bbox = f"{box[0] - wide},{box[1] - wide},{box[2] + wide},{box[3] + wide}"
        near = demo_client.get("/collections/police_posts/items", params={"bbox": bbox, "bbox-crs": uri}).json()
        assert plain[0]["id"] in ids(near)
        assert len(ids(near)) < 20

    def test_boundaries_are_asked_as_of_a_time(self, client: httpx.Client, database: str) -> None:
        with connect(database) as connection:
            two_by_two(connection)
            before = connection.execute("select clock_timestamp() as t").fetchone()["t"]
        time.sleep(0.01)
        with connect(database) as connection:
            publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")

        def codes(**parameters: str) -> set[str]:
            return set(ids(client.get("/collections/grid_cells/items", params=parameters).json()))

        assert codes() == set("PABCDQE")
        assert codes(datetime=before.isoformat()) == codes(datetime=f"../{before.isoformat()}") == set("PABCD")
        assert codes(datetime=f"{before.isoformat()}/..") == set("PABCDQE")
        assert codes(datetime="../2000-01-01") == set()

    def test_only_the_wanted_properties(self, demo_client: httpx.Client) -> None:
        found = demo_client.get("/collections/facilities/items?properties=name,facility_kind&limit=1").json()
        assert set(found["features"][0]["properties"]) == {"name", "facility_kind"}


class TestForms:
    def test_a_sequence_is_streamed_whole(self, demo: str, demo_client: httpx.Client) -> None:
        answer = demo_client.get("/collections/cameras/items?f=geojsonseq&limit=1000000")
        assert answer.headers["content-type"] == "application/geo+json-seq"
        assert answer.headers.get("transfer-encoding") == "chunked"
        keys = [json.loads(text)["id"] for text in answer.text.split("\x1e")[1:]]
        assert len(keys) == len(set(keys)) == counted(demo, "cameras where not is_secret") > 50_000
        few = demo_client.get("/collections/cameras/items?f=geojsonseq&limit=7001")
        assert few.text.count("\x1e") == 7001
        with demo_client.stream("GET", "/collections/cameras/items?f=geojsonseq&limit=1000000") as left:
            next(left.iter_bytes())  # and go: the connection to the database is given back
        more = demo_client.get("/collections/cameras/items?limit=10001").json()  # more than the most is the most
        assert more["numberReturned"] == 10_000
        assert demo_client.get("/collections/cameras/items?f=geojsonseq&limit=5&filter=nonsense").status_code == 400

    @pytest.mark.parametrize("layer", ["cameras", "grid_cells", "incidents"])
    def test_all_forms_hold_the_same(self, demo_client: httpx.Client, layer: str) -> None:
        key = REGISTRY[layer].item_key or REGISTRY[layer].key
        plain = demo_client.get(f"/collections/{layer}/items?limit=50").json()["features"]
        shapes = shapely.from_geojson([json.dumps(f["geometry"]) for f in plain])
        forms = {}
        for form in ("fgb", "parquet", "csv", "geojsonseq"):
            answer = demo_client.get(f"/collections/{layer}/items?limit=50&f={form}")
            assert 'rel="next"' in answer.headers["link"]
            forms[form] = answer.content
        lines = [json.loads(line) for line in forms["geojsonseq"].decode().split("\x1e")[1:]]
        for feature in plain:  # files hold no private columns unless they are named
            feature["properties"] = {n: v for n, v in feature["properties"].items() if n not in REGISTRY[layer].private}
        assert lines == plain
        for frame in (
            pyogrio.read_dataframe(io.BytesIO(forms["fgb"])),
            gpd.read_parquet(io.BytesIO(forms["parquet"])),
        ):
            assert frame.crs.to_epsg() == 4490
            order = {str(value): index for index, value in enumerate(frame[key])}
            found = frame.iloc[[order[f["id"]] for f in plain]]  # FlatGeobuf sorts by place
            # GeoJSON alone asks for counter-clockwise rings (RFC 7946, 3.1.6)
            assert shapely.equals_exact(shapely.orient_polygons(found.geometry.to_numpy()), shapes, 1e-8).all()
        table = pd.read_csv(io.BytesIO(forms["csv"]), dtype=str)
        assert table[key].tolist() == [f["id"] for f in plain]

    def test_an_empty_answer_has_every_form(self, client: httpx.Client) -> None:
        for form in ("json", "fgb", "parquet", "csv", "geojsonseq"):
            assert client.get(f"/collections/cameras/items?f={form}").status_code == 200, form


FILTERS = [
    ("facilities", "facility_kind = 'school'", "facility_kind = 'school'"),
    ("facilities", "name LIKE '%小学%' AND NOT facility_kind IN ('hospital','town_hall')",
     "name like '%%小学%%' and facility_kind not in ('hospital','town_hall')"),
    ("facilities", "CASEI(source) LIKE CASEI('%OSM%') OR member_count BETWEEN 5 AND 10",
     "lower(source) like lower('%%OSM%%') or member_count between 5 and 10"),
    ("facilities", "member_count IS NULL", "member_count is null"),
    ("cameras", "camera_state = 'offline' AND azimuth_deg >= 90.5", "camera_id in (select camera_id from camera_states where state = 'offline') and azimuth_deg >= 90.5 and not is_secret"),
    ("cameras", "azimuth_deg > fov_deg", "azimuth_deg > fov_deg and not is_secret"),
    ("incidents", "T_AFTER(received_at, TIMESTAMP('2026-06-01T00:00:00+08:00'))", "received_at > '2026-06-01T00:00:00+08:00'"),
    ("incidents", "T_DURING(received_at, INTERVAL('2026-06-01T00:00:00Z','2026-06-08T00:00:00Z'))",
     "received_at > '2026-06-01T00:00:00Z' and received_at < '2026-06-08T00:00:00Z'"),
    ("incidents", "T_DISJOINT(received_at, INTERVAL('2026-06-01T00:00:00Z','..'))", "received_at < '2026-06-01T00:00:00Z'"),
    ("incidents", "T_INTERSECTS(DATE('2026-06-03'), received_at)",
     "received_at >= '2026-06-03T00:00:00Z' and received_at < '2026-06-04T00:00:00Z'"),
    ("grid_cells", "T_CONTAINS(INTERVAL(valid_from, valid_to), INTERVAL('2150-01-01T00:00:00Z','2160-01-01T00:00:00Z')) AND grid_level < 4",
     "valid_from < '2150-01-01T00:00:00Z' and grid_level < 4"),
    ("grid_cells", "T_OVERLAPPEDBY(INTERVAL(valid_from, valid_to), INTERVAL('2000-01-01T00:00:00Z','2150-01-01T00:00:00Z')) AND grid_level < 4",
     "valid_from < '2150-01-01T00:00:00Z' and grid_level < 4"),
    ("police_posts", "S_INTERSECTS(geometry, POLYGON((114.4 37.0,114.6 37.0,114.6 37.1,114.4 37.1,114.4 37.0)))",
     "ST_Intersects(geom, ST_GeomFromText('POLYGON((114.4 37.0,114.6 37.0,114.6 37.1,114.4 37.1,114.4 37.0))', 4490))"),
    ("grid_cells", "S_CONTAINS(geometry, POINT(114.5043 37.0682))",
     "ST_Contains(geom, ST_GeomFromText('POINT(114.5043 37.0682)', 4490))"),
    ("grid_cells", "S_WITHIN(POINT(114.5043 37.0682), geometry) AND grid_level > 2",
     "ST_Contains(geom, ST_GeomFromText('POINT(114.5043 37.0682)', 4490)) and grid_level > 2"),
]  # fmt: skip


ALLEN = {
    "T_AFTER": [], "T_BEFORE": [], "T_DISJOINT": [], "T_EQUALS": [], "T_MEETS": ["first"], "T_METBY": ["last"],
    "T_CONTAINS": [], "T_DURING": ["middle"], "T_STARTS": ["first"], "T_STARTEDBY": [], "T_FINISHES": ["last"],
    "T_FINISHEDBY": [], "T_OVERLAPS": [], "T_OVERLAPPEDBY": [], "T_INTERSECTS": ["first", "last", "middle"],
}  # fmt: skip
"""Which of three moments stand in the relation to the interval from the first to the last."""


def test_every_temporal_relation(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
        for code, day in (("first", 1), ("middle", 2), ("last", 3)):
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) values"
                " (%s, 'x', 'car', make_timestamptz(2026, 11, %s, 8, 0, 0, 'UTC'), ST_SetSRID(ST_MakePoint(114.5, 37), 4490))",
                (code, day),
            )
    for relation, expected in ALLEN.items():
        cql2 = f"{relation}(reported_at, INTERVAL('2026-11-01T08:00:00Z', '2026-11-03T08:00:00Z'))"
        answer = client.get("/collections/patrol_units/items", params={"filter": cql2})
        assert sorted(feature["id"] for feature in answer.json()["features"]) == sorted(expected), relation


SHAPES = {
    "S_INTERSECTS": "LINESTRING({e} {s},{e} {n})", "S_CONTAINS": "POINT({x} {y})", "S_EQUALS": "POLYGON(({w} {s},{w} {n},{e} {n},{e} {s},{w} {s}))",
    "S_WITHIN": "POLYGON(({w} {s},{w} {n2},{e2} {n2},{e2} {s},{w} {s}))", "S_DISJOINT": "BBOX({w},{s},{x},{y})",
    "S_TOUCHES": "MULTIPOINT(({e} {s}))", "S_CROSSES": "LINESTRING({x} {y},{e2} {y})",
    "S_OVERLAPS": "MULTIPOLYGON((({x} {y},{x} {n2},{e2} {n2},{e2} {y},{x} {y})))",
}  # fmt: skip


def test_every_spatial_relation(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
    at = {
        "w": WEST, "x": WEST + SIDE / 2, "e": WEST + SIDE, "e2": WEST + 2 * SIDE,
        "s": SOUTH, "y": SOUTH + SIDE / 2, "n": SOUTH + SIDE, "n2": SOUTH + 2 * SIDE,
    }  # fmt: skip
    told = {}
    for relation, shape in SHAPES.items():
        written = shape.format(**at)
        answer = client.get("/collections/grid_cells/items", params={"filter": f"{relation}(geometry, {written})"})
        told[relation] = {feature["id"] for feature in answer.json()["features"]}
        box = [float(part) for part in re.findall(r"[0-9.]+", written)] if written.startswith("BBOX") else []
        plain = shapely.box(*box).wkt if box else written
        with connect(database) as connection:
            rows = connection.execute(
                f"select grid_code from grid_cells where ST_{relation[2:]}(geom, ST_GeomFromText(%s, 4490))", (plain,)
            ).fetchall()
        assert told[relation] == {row["grid_code"] for row in rows}, relation
    assert told == {
        "S_INTERSECTS": {"P", "A", "B", "C", "D"}, "S_CONTAINS": {"P", "A"}, "S_EQUALS": {"A"},
        "S_WITHIN": {"P", "A", "B", "C", "D"}, "S_DISJOINT": {"B", "C", "D"}, "S_TOUCHES": {"P", "A", "B"},
        "S_CROSSES": {"A", "B"}, "S_OVERLAPS": {"A", "B", "C"},
    }  # fmt: skip


class TestFilters:
    @pytest.mark.parametrize(("layer", "cql2", "plain"), FILTERS)
    def test_a_filter_finds_what_sql_finds(
        self, demo: str, demo_client: httpx.Client, layer: str, cql2: str, plain: str
    ) -> None:
        found = everything(demo_client, f"/collections/{layer}/items", filter=cql2, properties="is_demo")
        total = counted(
            demo,
            f"{layer} where ({plain}){' and valid_to is null' if layer == 'grid_cells' else ''}".replace("%%", "%"),
        )
        assert len(found) == total > 0

    def test_a_filter_holds_beside_a_box_a_time_and_a_limit(self, client: httpx.Client, database: str) -> None:
        with connect(database) as connection:
            for category, lon, hour in (
                ("x", 114.5, 1), ("x", 114.5, 2), ("y", 114.5, 1), ("x", 115.5, 1), ("x", 114.5, 9),
            ):  # fmt: skip
                connection.execute(
                    "insert into incidents (category, description, received_at, geom) values (%s, %s,"
                    " timestamptz '2026-01-01T00:00:00Z' + make_interval(hours => %s), ST_SetSRID(ST_MakePoint(%s, 37), 4490))",
                    (category, f"{category} {lon} {hour}", hour, lon),
                )  # fmt: skip
        asked = {"bbox": "114,36,115,38", "datetime": "2026-01-01T00:00:00Z/2026-01-01T05:00:00Z"}
        first = client.get(
            "/collections/incidents/items", params={"filter": "category = 'x'", "limit": 1, **asked}
        ).json()
        assert first["numberReturned"] == 1
        found = everything(client, "/collections/incidents/items", filter="category = 'x'", **{**asked, "limit": 1})
        assert sorted(feature["properties"]["description"] for feature in found) == ["x 114.5 1", "x 114.5 2"]

    def test_json_says_the_same_as_text(self, demo_client: httpx.Client) -> None:
        tree = {"op": "and", "args": [
            {"op": "=", "args": [{"property": "facility_kind"}, "school"]},
            {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [37, 114, 38, 115]}]}]}  # fmt: skip
        parameters = {"filter": json.dumps(tree), "filter-lang": "cql2-json", "filter-crs": f"{EPSG}4490"}
        text = "facility_kind = 'school' AND S_INTERSECTS(geometry, BBOX(114,37,115,38))"
        by_json = everything(demo_client, "/collections/facilities/items", **parameters)
        by_text = everything(demo_client, "/collections/facilities/items", filter=text)
        by_parameters = everything(
            demo_client, "/collections/facilities/items", facility_kind="school", bbox="114,37,115,38"
        )
        assert by_json == by_text == by_parameters != []

    @pytest.mark.parametrize(
        "cql2",
        ["nonsense =", "description = 'x'", "caller_number IS NULL", "category > 5", "received_at = 'yesterday'", "1 = 1",
         "S_INTERSECTS(geometry, POINT(114 nan))", "S_INTERSECTS(geometry, POLYGON((0 0,1 1,0 1,1 0,0 0)))", "geometry = 1",
         "S_INTERSECTS(category, POINT(1 2))", "T_AFTER(category, DATE('2026-01-01'))", "foo(category) = 1", "category LIKE 'a\\'",
         "category", "a" * 3000, "(" * 1900, "(" * 10 + "a", "((((((((((category = 1 AND))))))))))", "category = ')' AND (((((((((((", "NOT " * 450 + "is_demo = TRUE", "received_at > TIMESTAMP('0001-01-01T00:00:00+14:00')",
         "incident_id = 1e400", "S_INTERSECTS(geometry, POINT(37.06 114.5))", "category = 'x'; drop table incidents",
         "category = 'x' UNION SELECT 1", "\"category\" = 'x\\' or 1=1 --'", "category IN ()", "\u0000 = 1"],
    )  # fmt: skip
    def test_bad_filters_are_told_so(self, demo_client: httpx.Client, cql2: str) -> None:
        begun = time.monotonic()
        answer = demo_client.get("/collections/incidents/items", params={"filter": cql2})
        assert answer.status_code in (200, 400), answer.text  # some are good CQL2 that finds nothing
        assert time.monotonic() - begun < 2
        if answer.status_code == 400:
            assert problem(answer, 400)["detail"]
        else:
            assert answer.json()["features"] == []

    @pytest.mark.parametrize(
        "query",
        ["datetime=yesterday", "datetime=2026-01-02/2026-01-01", "datetime=/", "crs=EPSG:4326", "bbox-crs=x&bbox=1,2,3,4",
         "limit=0", "sortby=nothing", "sortby=name,name", "properties=caller_number", "after=AAAA", "after=!",
         "after=W10", "f=shp", "filter-lang=sql", "unknown=1", "is_demo=maybe", "incident_id=x", "zoom=3", "zoom=3&bbox=1,1,2,2&f=csv",
         "datetime=2026-01-01T00:00:00"],
    )  # fmt: skip
    def test_bad_questions_are_told_so(self, demo_client: httpx.Client, query: str) -> None:
        answer = demo_client.get(f"/collections/incidents/items?{query}")
        if query == "datetime=/":
            assert answer.status_code == 200  # both ends open
        else:
            assert problem(answer, 400)["detail"]

    def test_a_filter_uses_the_spatial_index(self, demo: str, demo_client: httpx.Client) -> None:
        from geo_grid.layers.filters import read_filter
        from geo_grid.layers.published import CRS84

        layer = REGISTRY["cameras"]
        condition, values = read_filter(
            "S_INTERSECTS(geometry, BBOX(114.5,37.06,114.51,37.07))", "cql2-text", layer.queryables, CRS84
        )
        with psycopg.connect(demo) as connection:
            plan = connection.execute(
                psycopg.sql.SQL("explain select * from ({}) s where {}").format(
                    psycopg.sql.SQL(layer.query("stored")), condition
                ),
                values,
            ).fetchall()
        assert any("cameras_geom" in line for (line,) in plan)


class TestPrograms:
    """Programs that nobody here wrote."""

    def test_gdal_copies_every_collection(self, demo: str, demo_server: str, demo_key: str, tmp_path: Path) -> None:
        environment = {**os.environ, "GDAL_HTTP_USERPWD": f"key:{demo_key}"}
        source, copy = f"OAPIF:{demo_server}", tmp_path / "copy.gpkg"

        def gdal(*command: str | Path) -> str:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert {
            line.split(": ", 1)[1].split(" (")[0] for line in gdal("ogrinfo", "-ro", "-q", source).splitlines()
        } == set(REGISTRY)
        whole = ("police_posts", "patrol_zones", "patrol_units", "response_circles")  # the last on two pages and more
        gdal("ogr2ogr", "-oo", "PAGE_SIZE=1000", copy, source, *whole)
        box = (114.4, 37.0, 114.6, 37.1)
        near = ("grid_cells", "cameras", "incidents", "facilities", "roads")
        gdal("ogr2ogr", "-update", "-oo", "PAGE_SIZE=1000", "-spat", *map(str, box), copy, source, *near)
        for layer, described in REGISTRY.items():
            where = (
                "" if layer in whole else " and ST_Intersects(geom, ST_MakeEnvelope(114.4, 37.0, 114.6, 37.1, 4490))"
            )
            where += (
                " and valid_to is null" if described.is_boundary else " and not is_secret" if layer == "cameras" else ""
            )
            key = described.item_key or described.key
            with connect(demo) as connection:
                rows = connection.execute(
                    f"select {key}::text as key, ST_AsBinary(geom) as geom from {layer} where true{where} order by 1"
                ).fetchall()
            if not rows:  # a collection without features has no columns to GDAL
                continue
            frame = pyogrio.read_dataframe(copy, layer=layer)
            frame = frame.assign(**{key: frame[key].astype(str)}).sort_values(key)
            assert frame[key].tolist() == sorted(row["key"] for row in rows), layer
            stored = dict(
                zip((row["key"] for row in rows), shapely.from_wkb([row["geom"] for row in rows]), strict=True)
            )
            mine = [stored[name] for name in frame[key]]
            assert (shapely.hausdorff_distance(frame.geometry.to_numpy(), mine) < 2e-8).all(), layer

    def test_owslib_reads_and_asks(self, demo: str, demo_server: str, demo_key: str) -> None:
        client = Features(demo_server, headers={"Authorization": f"Bearer {demo_key}"})
        assert set(client.feature_collections()) == set(REGISTRY)
        assert any("cql2-text" in uri for uri in client.conformance()["conformsTo"])
        assert "facility_kind" in client.collection_queryables("facilities")["properties"]
        found = client.collection_items("facilities", limit=7, filter="facility_kind = 'school'", sortby="-name")
        assert found["numberReturned"] == len(found["features"]) == 7
        assert {f["properties"]["facility_kind"] for f in found["features"]} == {"school"}
        one = client.collection_item("grid_cells", "130502")
        assert one["properties"]["name"] == "襄都区"
