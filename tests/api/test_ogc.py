"""What programs of others make of OGC API: degenerate boxes, the date line, RFC 3339, OpenAPI 3.0, pages beside a publication."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from geo_grid.boundaries import as_step, edit_draft, make_draft, publish_draft
from geo_grid.db import connect
from geo_grid.moments import read_moment
from tests.api.test_features import ids
from tests.api.test_http import problem
from tests.squares import SIDE, SOUTH, WEST


@pytest.fixture
def database(small_city: str) -> str:
    """libpq connection string of a city of four cells, also for `client`."""
    return small_city


def facility(connection: Any, code: str, lon: float, lat: float) -> None:
    connection.execute(
        "insert into facilities (facility_code, facility_kind, name, geom) values"
        " (%s, 'school', 'x', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(%s, %s), 4490), 2 ^ -26))",
        (code, lon, lat),
    )


@pytest.fixture
def squares(client: httpx.Client, database: str) -> httpx.Client:
    """A client of a city of four cells, with three facilities."""
    with connect(database) as connection:
        facility(connection, "HERE", WEST + SIDE / 3, SOUTH + SIDE / 3)
        facility(connection, "EAST", 179.5, 0)
        facility(connection, "WEST", -179.5, 0)
    return client


class TestBoxes:
    def test_a_box_that_is_a_point_or_a_line_meets_what_is_there(self, squares: httpx.Client) -> None:
        x, y = WEST + SIDE / 2, SOUTH + SIDE / 2
        for box, found in (
            (f"{x},{y},{x},{y}", {"P", "A"}),
            (f"{x},{y},{x + SIDE},{y}", {"P", "A", "B"}),
            (f"{x},{y},{x},{y + SIDE}", {"P", "A", "C"}),
        ):
            for question in ({"bbox": box}, {"filter": f"S_INTERSECTS(geometry, BBOX({box}))"}):
                answer = squares.get("/collections/grid_cells/items", params=question)
                assert set(ids(answer.json())) == found, question

    def test_the_coordinates_that_are_given_out_find_their_feature(self, squares: httpx.Client) -> None:
        """Eight decimals are not the stored number, but a millimetre beside it."""
        here = squares.get("/collections/facilities/items?facility_code=HERE").json()["features"][0]
        lon, lat = here["geometry"]["coordinates"]
        for question in (
            {"bbox": f"{lon},{lat},{lon},{lat}"},
            {"filter": f"S_INTERSECTS(geometry, POINT({lon} {lat}))"},
            {"filter": f"S_EQUALS(geometry, POINT({lon} {lat}))"},
        ):
            assert ids(squares.get("/collections/facilities/items", params=question).json()) == ["HERE"], question

    def test_a_box_across_180_degrees_is_two_in_a_filter_too(self, squares: httpx.Client) -> None:
        for question in (
            {"bbox": "179,-1,-179,1"},
            {"filter": "S_INTERSECTS(geometry, BBOX(179,-1,-179,1))"},
            {"filter": "S_WITHIN(geometry, BBOX(179,-1,-179,1))"},
            {"filter": '{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":[179,-1,-179,1]}]}', "filter-lang": "cql2-json"},
            {"filter": "S_INTERSECTS(geometry, BBOX(-1,179,1,-179))", "filter-crs": "http://www.opengis.net/def/crs/EPSG/0/4326"},
        ):  # fmt: skip
            answer = squares.get("/collections/facilities/items", params=question)
            assert set(ids(answer.json())) == {"EAST", "WEST"}, question

    @pytest.mark.parametrize("relation", ["S_INTERSECTS", "S_DISJOINT", "S_WITHIN", "S_CONTAINS", "S_EQUALS", "S_TOUCHES", "S_CROSSES", "S_OVERLAPS"])  # fmt: skip
    def test_a_collection_of_geometries_is_compared_or_refused_in_words(
        self, squares: httpx.Client, relation: str
    ) -> None:
        both = f"GEOMETRYCOLLECTION(POINT({WEST + SIDE / 2} {SOUTH + SIDE / 2}),LINESTRING(0 0,1 1))"
        answer = squares.get("/collections/grid_cells/items", params={"filter": f"{relation}(geometry, {both})"})
        if relation in ("S_INTERSECTS", "S_DISJOINT"):
            assert set(ids(answer.json())) == ({"P", "A"} if relation == "S_INTERSECTS" else {"B", "C", "D"})
        else:
            assert "collections" in problem(answer, 400)["detail"]


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-11-25t08:00:00z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
            ("2026-11-25T08:00:00.5+08:00", datetime(2026, 11, 25, 0, 0, 0, 500_000, tzinfo=UTC)),
            ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
            ("2017-01-01T07:59:60.25+08:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_rfc_3339_in_small_letters_and_with_leap_seconds(self, text: str, moment: datetime) -> None:
        assert read_moment(text) == moment

    @pytest.mark.parametrize(
        "text",
        ["2026-11-25T12:30:60Z", "2026-11-25T23:59:60Z", "2026-11-25T08:00:61Z", "2026-11-25T24:00:00Z", "1764057600",
         "2026-11-25", "2026-11-25T08:00:00", "2026-W10-1T00:00:00Z", "20261125T080000Z", "２０２６-11-25T08:00:00Z"],
    )  # fmt: skip
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"moment|second|hour"):
            read_moment(text)

    def test_every_door_reads_the_same(self, squares: httpx.Client) -> None:
        items = "/collections/grid_cells/items"
        for text in ("2150-12-31t23:59:60z", "2150-12-31T23:59:60Z", "2151-01-01T07:59:60+08:00"):
            for path, question in (
                (items, {"datetime": text}),
                (items, {"datetime": f"../{text}"}),
                (items, {"filter": f"valid_from < TIMESTAMP('{text}')"}),
                (items, {"valid_from": text}),
                ("/locate", {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "at": text}),
            ):
                answer = squares.get(path, params=question)
                assert answer.status_code == 200, (question, answer.text)
        refused = squares.get("/locate", params={"lon": WEST, "lat": SOUTH, "at": "1764057600"})
        assert "2026-11-25T08:00:00Z" in problem(refused, 422)["detail"]


def test_the_description_of_the_api_is_the_openapi_that_conformance_declares(squares: httpx.Client) -> None:
    declared = squares.get("/conformance").json()["conformsTo"]
    assert [uri for uri in declared if "/oas" in uri] == [
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30"
    ]
    link = next(one for one in squares.get("/").json()["links"] if one["rel"] == "service-desc")
    answer = squares.get(link["href"])
    assert answer.headers["content-type"] == link["type"] == "application/vnd.oai.openapi+json;version=3.0"
    document = answer.json()
    assert re.fullmatch(r"3\.0\.\d", document["openapi"])
    # not at the top: every process of the tests would import it, a second each
    from schemathesis.specs.openapi import definitions

    wrong = [str(error) for error in definitions.OPENAPI_30_VALIDATOR.iter_errors(document)]
    assert wrong == []


def test_pages_show_the_boundaries_of_the_first_page_while_others_are_published(
    squares: httpx.Client, database: str
) -> None:
    first = squares.get("/collections/grid_cells/items?limit=2&sortby=grid_code").json()
    west, south = WEST + SIDE / 2, SOUTH
    with connect(database) as connection:  # the eastern half of A becomes B's: rows of a new edition
        draft = make_draft(connection, "moved", "test")
        line = [[west, south - SIDE], [west, south + SIDE / 2], [WEST + SIDE, south + SIDE]]
        arguments = {"codes": ["A", "B"], "line": {"type": "LineString", "coordinates": line}}
        edit_draft(connection, draft, as_step("move_border", arguments), "test")
        publish_draft(connection, draft, "border moved")
    found, answer = list(first["features"]), first
    while link := next((link for link in answer["links"] if link["rel"] == "next"), None):
        answer = squares.get(link["href"]).json()
        found += answer["features"]
    assert [one["id"] for one in found] == ["A", "B", "C", "D", "P"]
    assert {one["properties"]["valid_from"] for one in found} == {first["features"][0]["properties"]["valid_from"]}
    now = {one["id"]: one["properties"] for one in squares.get("/collections/grid_cells/items").json()["features"]}
    assert now["A"]["valid_from"] != found[0]["properties"]["valid_from"]  # a new first page is of now


def test_files_hold_the_boundaries_of_one_moment_and_say_where_they_go_on(squares: httpx.Client) -> None:
    answer = squares.get("/collections/grid_cells/items", params={"f": "geojsonseq", "limit": 2})
    assert "datetime=" in answer.headers["link"]
