"""What the tests of writing over HTTP have in common."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import live_server
from tests.identities import api_key, bearing


@pytest.fixture
def city(small_city: str) -> Iterator[tuple[str, str]]:
    """(address of a served city of four cells, its owner's way in)."""
    with live_server(small_city) as url:
        yield url, small_city


@pytest.fixture
def planner(city: tuple[str, str]) -> Iterator[httpx.Client]:
    """A client that may change everything in it."""
    with bearing(city[0], api_key(city[1], "planner")) as client:
        yield client
