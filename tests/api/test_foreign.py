"""What other people's programs send over HTTP, and what they are given back."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest

from geo_grid.db import connect
from geo_grid.exchange import import_file
from geo_grid.layers import find_layer
from geo_grid.progress import silent

HELD = datetime(1899, 12, 31, 15, 54, 17, tzinfo=UTC)  # 1900-01-01 in Shanghai, 8:05:43 ahead then


@pytest.fixture
def database(small_city: str) -> str:
    """libpq connection string of a city of four cells, also for `client`."""
    return small_city


@pytest.fixture
def city(database: str) -> str:
    return database


def test_a_moment_whose_offset_had_seconds_is_the_same_in_every_form(
    city: str, client: httpx.Client, cases: Path
) -> None:
    with connect(city) as connection:
        import_file(connection, find_layer("incidents"), cases / "d1900.csv", silent, "EPSG:4490")
    told = [client.get("/incidents").json()["incidents"][0]["received_at"]]
    address = "/collections/incidents"
    told.append(client.get(f"{address}/items").json()["features"][0]["properties"]["received_at"])
    told.append(client.get(f"{address}/export?f=geojson").json()["features"][0]["properties"]["received_at"])
    told.append(pd.read_csv(io.StringIO(client.get(f"{address}/items?f=csv").text))["received_at"][0])
    told.append(
        pd.read_excel(io.BytesIO(client.get(f"{address}/export?f=xlsx").content), engine="calamine")["received_at"][0]
    )
    told.append(
        pd.read_parquet(io.BytesIO(client.get(f"{address}/export?f=parquet").content))["received_at"][0].isoformat()
    )
    assert [datetime.fromisoformat(text) for text in told] == [HELD] * 6
    assert client.get(f"{address}/export?f=csv&for_excel=true").content.startswith(b"\xef\xbb\xbf")


def test_bodies_of_other_programs(client: httpx.Client, cases: Path) -> None:
    kind = {"Content-Type": "application/json"}
    marked = (cases / "bom.json").read_bytes()
    answers = [
        client.post("/locate", content=body, headers=kind) for body in (marked, marked.removeprefix(b"\xef\xbb\xbf"))
    ]
    assert [(one.status_code, one.text) for one in answers] == [(200, answers[0].text)] * 2
    points = client.post("/locate", content=(cases / "cr.csv").read_bytes(), headers={"Content-Type": "text/csv"})
    assert (points.status_code, len(pd.read_csv(io.StringIO(points.text)))) == (200, 2)
    korean = client.post("/locate", content=(cases / "euckr.csv").read_bytes(), headers={"Content-Type": "text/csv"})
    assert korean.status_code == 422
    assert "save it as UTF-8" in korean.json()["detail"]


def test_how_a_file_is_written_is_said_beside_it(city: str, client: httpx.Client, cases: Path) -> None:
    def send(name: str, **fields: str) -> httpx.Response:
        data = {"layer": "facilities", "source_crs": "EPSG:4490", **fields}
        return client.post("/imports", files={"file": (name, (cases / name).read_bytes())}, data=data)

    assert send("cr.csv").json()["importable"] == 2
    assert (
        send("tiny_hole.geojson", layer="road_closures", columns='{"closure_code": "code"}').json()["importable"] == 1
    )
    asked = send("euckr.csv", columns='{"facility_code": "code"}', constants='{"facility_kind": "school"}')
    assert (asked.status_code, "encoding" in asked.json()["detail"]) == (422, True)
    fields = {"columns": '{"facility_code": "code"}', "constants": '{"facility_kind": "school"}'}
    assert send("euckr.csv", encoding="EUC-KR", **fields).json()["importable"] == 1
    assert send("euckr.csv", encoding="klingon", **fields).status_code == 422


def test_a_local_camera_gets_its_national_id(city: str, client: httpx.Client, cases: Path) -> None:
    with connect(city) as connection:
        import_file(connection, find_layer("cameras"), cases / "camera_without_gb_id.csv", silent, "EPSG:4490")
    first, second = (one["id"] for one in client.get("/collections/cameras/items").json()["features"])
    kind = {"Content-Type": "application/merge-patch+json"}

    def name(key: str, new: str) -> httpx.Response:
        body = json.dumps({"properties": {"gb28181_id": new}})
        return client.patch(f"/collections/cameras/items/{key}", content=body, headers=kind)

    national = "13050201001321000001"
    given = name(first, national)
    assert given.status_code == 200, given.text
    assert given.json()["id"] == national
    assert client.get(f"/collections/cameras/items/{first}").status_code == 404
    assert name(second, national).status_code == 409
    assert name(national, "13050201001321000002").status_code == 422


def test_a_bare_number_is_no_moment(client: httpx.Client) -> None:
    for value in (1_700_000_000, "1700000000", 1.5):
        body = {"lon": 114.505, "lat": 37.005, "category": "x", "received_at": value}
        refused = client.post("/incidents", json=body, headers={"Idempotency-Key": "k"})
        assert refused.status_code == 422
        assert "is not a moment" in refused.text
