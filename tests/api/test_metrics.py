"""GET /metrics: what monitoring reads."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST


def read(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """Value by name and labels, labels in the order of their names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_the_server_is_doing(small_city: str) -> None:
    key = api_key(small_city, "supervisor")
    with live_server(small_city) as url, bearing(url, key) as client:
        for lon in (WEST + SIDE / 2, "nowhere"):
            client.get("/locate", params={"lon": lon, "lat": SOUTH + SIDE / 2})
        assert client.get("/no/such/place").status_code == 404
        client.get("/collections/grid_cells/tiles/WebMercatorQuad/0/0/0")
        found = read(client)
    assert found["geo_grid_requests_total", "GET", "/locate", "200"] == 1
    assert found["geo_grid_requests_total", "GET", "/locate", "422"] == 1
    assert found["geo_grid_requests_total", "GET", "", "404"] == 1
    assert found["geo_grid_request_seconds_count", "GET", "/locate"] == 2
    assert found["geo_grid_state_things", "point_snapshot"] > 0
    assert found["geo_grid_state_reads_total", "point_snapshot"] == 1
    assert found["geo_grid_due_rows", "tidy"] == 1
    assert found["geo_grid_due_failed_tries", "tidy"] == 0
    assert found["geo_grid_work_running", "log-in"] == 0
    assert found["geo_grid_connections", "open", "desk"] >= 1
    assert found["geo_grid_tiles_total", "drawn"] == 1
    assert found["geo_grid_tile_memory_bytes",] > 0
    assert found["process_resident_memory_bytes",] > 1e7
    assert found["geo_grid_feed_age_seconds",] < 10


@pytest.mark.parametrize(("role", "status"), [("dispatcher", 403), ("planner", 403), ("supervisor", 200)])
def test_who_may_know(database: str, role: str, status: int) -> None:
    with live_server(database) as url:
        assert httpx.get(f"{url}/metrics").status_code == 401
        with bearing(url, api_key(database, role)) as client:
            assert client.get("/metrics").status_code == status


def test_one_bearer_may_know_nothing_else(database: str) -> None:
    with live_server(database) as url, bearing(url, api_key(database, "supervisor", rights=["metrics"])) as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/incidents").status_code == 403
