"""Many incidents at once: each row has its own result, none is lost, none stored twice."""

from collections.abc import Iterator

import httpx
import pytest

from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "category": "traffic"}
OUTSIDE = {**HERE, "lon": WEST + SIDE * 1.5, "lat": SOUTH + SIDE * 1.5}


@pytest.fixture
def served(small_city: str) -> Iterator[tuple[str, str]]:
    with live_server(small_city) as url:
        yield url, small_city


def batch(client: httpx.Client, *incidents: dict) -> dict:
    rows = [{"idempotency_key": f"row-{number}", "incident": one} for number, one in enumerate(incidents)]
    answer = client.post("/incidents/batch", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    return answer.json()


def stored(database: str) -> list[dict]:
    with connect(database) as connection:
        return connection.execute("select incident_id, description from incidents order by incident_id").fetchall()


def test_each_row_is_stored_or_refused_by_itself_and_once(served: tuple[str, str]) -> None:
    url, database = served
    texts = ["مرحبا بالعالم", "👩‍🚒 fire?", "邢台", "x" * 10_000]
    rows = [
        *({**HERE, "description": text} for text in texts),
        {**HERE, "description": "x" * 10_001},
        {**HERE, "lat": 91},
        {**HERE, "received_at": "2199-01-01T00:00:00Z"},
        {**HERE, "lon": HERE["lat"], "lat": HERE["lon"]},
        {**HERE, "source_crs": "EPSG:999999"},
        {**HERE, "description": "a\0b"},
        OUTSIDE,
        {"category": "traffic"},
        {**HERE, "id_number": "130502190001011234"},
        HERE,
    ]
    with bearing(url, api_key(database, "dispatcher", ["A"])) as client:
        told = batch(client, *rows)
        assert [one["status"] for one in told["results"]] == [201] * 4 + [422] * 6 + [403, 422, 422, 201]
        assert (told["stored"], told["repeated"], told["refused"]) == (5, 0, 9)
        assert [one["idempotency_key"] for one in told["results"]] == [f"row-{at}" for at in range(len(rows))]
        details = [one["problem"]["detail"] for one in told["results"] if one["problem"]]
        for detail, wanted in zip(details, ("10000", "lat", "future", "", "999999", "the character NUL", "grid cells", "lon", "id_number"), strict=True):  # fmt: skip
            assert wanted in detail, (wanted, detail)
        assert [row["description"] for row in stored(database)] == [*texts, ""]
        again = batch(client, *rows)  # as after a lost connection
        assert [one["status"] for one in again["results"]][:4] == [200] * 4
        assert (again["stored"], again["repeated"]) == (0, 5)
        assert [one["incident_id"] for one in again["results"]] == [one["incident_id"] for one in told["results"]]
        other = batch(client, {**HERE, "description": "another"})
        assert other["results"][0]["status"] == 409
    assert len(stored(database)) == 5


def test_five_hundred_rows_come_in_at_once_and_more_are_refused(served: tuple[str, str]) -> None:
    url, database = served
    with bearing(url, api_key(database, "dispatcher")) as client:
        rows = [
            {**HERE, "subtype": "x", "address": "a, b, c", "description": f"row: {at}, of many"} for at in range(500)
        ]
        assert batch(client, *rows)["stored"] == 500
        many = {"rows": [{"idempotency_key": str(at), "incident": HERE} for at in range(501)]}
        assert client.post("/incidents/batch", json=many).status_code == 422
        assert client.post("/incidents/batch", json={"rows": []}).status_code == 422
    assert [row["description"] for row in stored(database)] == [one["description"] for one in rows]
