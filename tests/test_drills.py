"""The drills (drills/), each for some seconds in one small city: nothing accepted is lost, nothing doubled, no answer wrong."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import standby
from drills.clock import false_clock
from drills.every import IN_A_CITY, of_city, with_platforms
from drills.filing import Told, compare
from drills.full_disk import SIZE_MB
from drills.kit import City, city, folder, small_disk
from drills.verdict import CannotBeDoneError, Verdict

_SHARE = 0.05


@pytest.fixture(scope="module")
def drilled_city() -> Iterator[City]:
    """One city for all, on a small disk, with a clock that can be false where this machine allows both."""
    with folder() as place:
        more = {**with_platforms(place), "GEO_GRID_LEAST_FREE_MB": "16"}
        with contextlib.suppress(CannotBeDoneError):
            more |= false_clock(place)
        with city(_room_mb(place), more) as made:
            yield made


def _room_mb(place: Path) -> int:
    """Return the size of the city's disk; 0: none can be mounted here."""
    (place / "disk").mkdir()
    try:
        with small_disk(place / "disk", 1):
            return SIZE_MB
    except CannotBeDoneError:
        return 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(IN_A_CITY))
def test_the_verdict_is_green(drilled_city: City, name: str) -> None:
    if name == "full_disk" and not drilled_city.state_dir.is_mount():
        pytest.skip("no small disk can be mounted here")
    if name == "clock" and "DRILL_CLOCK" not in drilled_city.environment:
        pytest.skip("there is no C compiler")
    try:
        verdict = of_city(name, drilled_city, _SHARE)
    except CannotBeDoneError as reason:
        pytest.skip(str(reason))
    assert verdict.faults == [], verdict.figures
    assert verdict.figures["accepted"]


@pytest.mark.timeout(180)
def test_a_standby_takes_over() -> None:
    verdict = standby.drill(_SHARE)
    assert verdict.faults == [], verdict.figures
    assert verdict.figures["accepted"]


def test_a_verdict_is_red_when_something_accepted_is_not_stored(small_city: str) -> None:
    """A drill that cannot fail proves nothing."""
    told = Told(stored={"drill-x-1": 7}, places={"drill-x-1": (114.5, 37.0)}, answered_at=[0.0])
    told.located["wrong"] = 1
    verdict = Verdict()
    compare(verdict, small_city, told)
    assert [fault.partition(" ")[2] for fault in verdict.faults if fault[0].isdigit()] == [
        "that were accepted are not stored", "places were answered with a wrong cell",
    ]  # fmt: skip
