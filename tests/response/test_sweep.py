"""Areas that several shapes hold of another, against GEOS, which makes the shapes."""

import numpy as np
import pytest
import shapely

from geo_grid.response.sweep import Edges, held_areas


def star(rng: np.random.Generator, middle: np.ndarray, size: float) -> shapely.Geometry:
    """A star-shaped polygon, sometimes with a hole, sometimes in two parts."""
    turns = np.sort(rng.uniform(0, 2 * np.pi, 30))
    far = size * rng.uniform(0.4, 1.2, 30)
    shape = shapely.Polygon(middle + np.column_stack([far * np.cos(turns), far * np.sin(turns)])).buffer(0)
    if rng.random() < 0.3:
        shape = shape.difference(shapely.Point(middle).buffer(size / 5))
    west, south, east, north = (*(middle - size), *(middle + size))
    return (
        shape
        if rng.random() < 0.7
        else shape.difference(shapely.box(west, (south + north) / 2, east, north / 2 + 0.02))
    )


def test_areas_are_those_of_union_and_intersection() -> None:
    rng = np.random.default_rng(6)
    polygons = np.array([star(rng, np.zeros(2), 1.0) for _ in range(500)], dtype=object)
    others = np.full((500, 5), None, dtype=object)
    for row in range(500):
        for column in range(rng.integers(0, 6)):
            others[row, column] = star(rng, rng.uniform(-1, 1, 2), rng.uniform(0.2, 1.5))
    expected = shapely.area(shapely.intersection(polygons, shapely.union_all(others, axis=1)))
    assert _held(polygons, others) == pytest.approx(expected, abs=1e-12)
    assert (expected > 0).sum() > 300


def test_shared_edges_and_whole_and_empty_and_nothing() -> None:
    cell, half = shapely.box(0, 0, 2, 2), shapely.box(0, 0, 1, 2)
    others = np.array([
        [half, None, None], [half, half, None], [half, shapely.box(1, 0, 2, 2), None], [cell, half, shapely.box(0, 0, 9, 9)],
        [shapely.Polygon(), None, None], [shapely.box(5, 5, 6, 6), None, None], [None, None, None], [shapely.box(0.5, -1, 1, 3), half, None],
    ], dtype=object)  # fmt: skip
    assert _held(np.array([cell] * 8, dtype=object), others).tolist() == [2, 2, 4, 4, 0, 0, 0, 2]


def _held(polygons: np.ndarray, others: np.ndarray) -> np.ndarray:
    is_there = ~shapely.is_missing(others)
    number = np.full(others.shape, -1)
    number[is_there] = np.arange(is_there.sum())
    return held_areas(polygons, Edges.of(others[is_there]), number)
