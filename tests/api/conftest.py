"""What the tests of writing over HTTP have in common."""

from collections.abc import Iterator

import httpx
import pytest

from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import two_by_two


@pytest.fixture
def city(database: str) -> Iterator[tuple[str, str]]:
    """(address of a served city of four cells, its owner's way in)."""
    with connect(database) as connection:
        two_by_two(connection)
    with live_server(database) as url:
        yield url, database


@pytest.fixture
def planner(city: tuple[str, str]) -> Iterator[httpx.Client]:
    """A client that may change everything in it."""
    with bearing(city[0], api_key(city[1], "planner")) as client:
        yield client
