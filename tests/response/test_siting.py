"""Where posts should be: against a published example, and against what can be counted by hand."""

from importlib.metadata import distribution  # which does not import it, as each worker would that collects
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geo_grid.errors import UserError
from geo_grid.response.siting import site

DATA = Path(str(distribution("spopt").locate_file("spopt/tests/test_locate/data")))
"""Stores and census tracts of San Francisco, which spopt's own tests use (PySAL, from Qunshan Zhao's course)."""


@pytest.fixture(scope="module")
def san_francisco() -> tuple[np.ndarray, np.ndarray]:
    """Network distances in metres, 205 tracts by 16 stores, and the population of each tract."""
    distances = pd.read_csv(DATA / "SF_network_distance_candidateStore_16_censusTract_205_new.csv")
    table = distances.pivot_table(values="distance", index="DestinationName", columns="name")
    tracts = pd.read_csv(DATA / "SF_demand_205_centroid_uniform_weight.csv", index_col=0).sort_values(by=["NAME"])
    return table.to_numpy(), tracts["POP2000"].to_numpy(float)


def test_the_published_example_of_maximal_covering_is_reproduced(san_francisco: tuple[np.ndarray, np.ndarray]) -> None:
    metres, people = san_francisco
    found = site(metres, people, 5000, "maximal_covering", 4)
    covered = (metres[:, found.chosen] <= 5000).any(axis=1)
    assert (len(found.chosen), int((~covered).sum())) == (4, 21)
    assert 100 * covered.mean() == pytest.approx(89.75609756097561)  # spopt 0.8.0, test_mclp.py
    assert found.covered == pytest.approx(people[covered].sum() / people.sum())


def test_set_covering_and_p_median_of_the_same_example(san_francisco: tuple[np.ndarray, np.ndarray]) -> None:
    metres, people = san_francisco
    fewest = site(metres, people, 5000, "set_covering")
    assert ((metres[:, fewest.chosen] <= 5000).any(axis=1) == (metres <= 5000).any(axis=1)).all()
    for number in fewest.chosen:  # none of them could be left out
        others = [other for other in fewest.chosen if other != number]
        assert (metres[:, others] <= 5000).any(axis=1).sum() < (metres[:, fewest.chosen] <= 5000).any(axis=1).sum()
    median = site(metres, people, 5000, "p_median", 4)
    best = site(metres, people, 5000, "maximal_covering", 4)
    assert median.mean_s is not None
    assert best.mean_s is not None
    assert median.mean_s <= best.mean_s
    assert median.covered <= best.covered


def test_posts_that_stay_stay_and_each_says_what_it_alone_adds() -> None:
    seconds = np.array([[10, 100, 100], [10, 100, 100], [100, 10, 10], [100, 10, 100], [np.inf, np.inf, np.inf]])
    weights = np.array([1.0, 1.0, 2.0, 4.0, 2.0])
    found = site(seconds, weights, 60, "maximal_covering", 2, np.array([False, False, True]))
    assert found.chosen == [1, 2]
    assert found.covered == pytest.approx(0.6)
    assert found.adds == pytest.approx([0.4, 0.0])
    assert found.mean_s == pytest.approx((100 * 2 + 10 * 6) / 8)
    free = site(seconds, weights, 60, "maximal_covering", 2)
    assert (free.chosen, free.covered) == ([0, 1], pytest.approx(0.8))


@pytest.mark.parametrize(
    ("model", "count", "words"),
    [("maximal_covering", 5, "so many there are"), ("p_median", None, "use between"), ("p_median", 0, "use between")],
)
def test_what_cannot_be_is_said(model: str, count: int | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        site(np.ones((2, 3)), np.ones(2), 60, model, count)  # type: ignore[arg-type]


def test_capacities_that_are_too_small_and_demand_out_of_reach_are_said() -> None:
    with pytest.raises(UserError, match="capacities"):
        site(np.ones((2, 3)), np.full(2, 10.0), 60, "set_covering", capacities=np.full(3, 1.0))
    with pytest.raises(UserError, match="capacities"):
        site(np.ones((2, 3)), np.full(2, 10.0), 60, "p_median", 2, capacities=np.full(3, 1.0))
    with pytest.raises(UserError, match="covers any demand"):
        site(np.full((2, 3), np.inf), np.ones(2), 60, "set_covering")
    enough = site(np.ones((2, 3)), np.full(2, 10.0), 60, "set_covering", capacities=np.full(3, 10.0))
    assert len(enough.chosen) == 2
