"""A small city that is marked as the demo, for each test."""

import pytest

from tests.live_demo.city import make_small_demo


@pytest.fixture
def small_demo(database: str) -> str:
    make_small_demo(database)
    return database
