"""Categories of incidents: one code, whatever language they were named in; names that are not listed stay, and are told."""

from pathlib import Path

import httpx
import psycopg
import pytest

from geo_grid.db import Cluster, connect, migrate, read_migrations
from geo_grid.doctor import examine
from geo_grid.settings import Settings
from tests.exchange.test_importing import load
from tests.squares import SIDE, SOUTH, WEST

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}


@pytest.fixture
def database(small_city: str) -> str:
    """libpq connection string of a city of four cells, also for `client`."""
    return small_city


def stored(conninfo: str) -> list[str]:
    with connect(conninfo) as connection:
        rows = connection.execute("select category from incidents order by incident_id").fetchall()
    return [row["category"] for row in rows]


@pytest.fixture
def city(database: str) -> str:
    return database


def test_every_name_of_a_category_is_stored_as_its_code(city: str, client: httpx.Client) -> None:
    for name in ("交通", "Traffic", "TRAFFIC", "traffic"):
        answer = client.post("/incidents", json={**HERE, "category": name})
        assert answer.status_code == 201, answer.text
        assert answer.json()["category"] == "traffic"
    assert client.post("/incidents", json={**HERE, "category": "反恐"}).json()["category"] == "反恐"
    assert stored(city) == ["traffic"] * 4 + ["反恐"]
    listed = {one["category_code"]: one for one in client.get("/incidents/categories").json()["categories"]}
    assert (listed["traffic"]["name_zh"], listed["traffic"]["name_en"]) == ("交通", "Traffic")


def test_files_come_in_by_code_too_and_doctor_tells_what_is_not_listed(city: str, tmp_path: Path) -> None:
    path = tmp_path / "incidents.csv"
    named = ["治安", "public order", "THEFT", "THEFT", "fire"]
    path.write_text("category,lon,lat\n" + "".join(f"{name},114.505,37.005\n" for name in named), encoding="utf-8")
    load(city, "incidents", path)
    assert stored(city) == ["public_order", "public_order", "THEFT", "THEFT", "fire"]
    told = {one.what: one for one in examine(city, Settings(database_url=city, state_dir=tmp_path))}
    assert told["categories of incidents"].found.startswith("THEFT (2): kept as they came")
    with connect(city) as connection:  # a category that is listed later
        connection.execute("insert into incident_categories values ('theft', '盗窃', 'Theft')")
        connection.execute("update incidents set category = category where category = 'THEFT'")
    assert stored(city).count("theft") == 2


def test_incidents_of_before_get_their_code(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as connection:
        connection.execute("create database before_categories")
    conninfo = cluster.conninfo_for("before_categories")
    try:
        migrate(conninfo, [one for one in read_migrations() if one.number < 24])
        with connect(conninfo) as connection:
            for name in ("交通", "Traffic", "City matter", "THEFT"):
                connection.execute(
                    "insert into incidents (category, geom) values (%s, ST_SetSRID(ST_MakePoint(114.5, 37), 4490))",
                    (name,),
                )
        migrate(conninfo)
        assert stored(conninfo) == ["traffic", "traffic", "city_matter", "THEFT"]
    finally:
        with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as connection:
            connection.execute("drop database before_categories with (force)")
