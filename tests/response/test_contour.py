"""Outlines on a grid: what is under is inside, what is over is outside, exactly; blocks that are shut in are filled."""

import numpy as np
import pytest
import shapely

from geo_grid.response.contour import outlines

FAR, NEAREST = np.float32(1e12), 50.0


def field_of(rng: np.random.Generator, roads: int, size: int = 60) -> np.ndarray:
    """Squares of distances to some roads, in steps of 10, far at the border."""
    lines = shapely.linestrings(rng.uniform(80, 10 * size - 80, (roads, 2, 2)))
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    apart = shapely.distance(shapely.union_all(lines), shapely.points(column * 10.0, row * 10.0))
    return np.where(apart < NEAREST, apart**2, FAR).astype(np.float32)


def drawn(field: np.ndarray, level: float, block: float, tolerance: float) -> np.ndarray:
    points, rings, polygons = outlines(field, level, NEAREST, block, tolerance)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, (rings, polygons))


@pytest.mark.parametrize("roads", [1, 3, 12, 40])
def test_nodes_that_are_under_are_inside_and_no_others(roads: int) -> None:
    field = field_of(np.random.default_rng(roads), roads)
    shapes = drawn(field, 17.0, 0.0, 0.0)
    assert shapely.is_valid(shapes).all()
    assert shapely.is_valid(shapely.multipolygons(shapes))
    column, row = np.meshgrid(*map(np.arange, field.shape[::-1]))
    inside = shapely.contains_xy(shapely.multipolygons(shapes), column.ravel(), row.ravel()).reshape(field.shape)
    assert (inside == (field < 17.0**2)).all()
    simple = drawn(field, 17.0, 0.0, 0.1)
    assert shapely.get_num_coordinates(simple).sum() < 0.7 * shapely.get_num_coordinates(shapes).sum()
    assert shapely.hausdorff_distance(shapely.multipolygons(simple), shapely.multipolygons(shapes)) < 0.11 * 1.5


def test_blocks_up_to_a_size_are_filled_and_holes_belong_to_the_outline_around_them() -> None:
    field = np.full((40, 40), FAR, np.float32)
    field[5:35, 5:35] = 0
    field[10:14, 10:14] = FAR  # a block of some 4 by 4 steps
    field[18:32, 18:32] = FAR  # a larger one
    field[22:26, 22:26] = 0  # with an island in it
    (island, whole) = sorted(drawn(field, 20.0, 30.0, 0.0), key=shapely.area)
    assert (len(island.interiors), len(whole.interiors)) == (0, 1)
    assert shapely.contains_xy(whole, 12, 12)
    assert not shapely.contains_xy(whole, 20, 20)
    assert shapely.contains_xy(island, 24, 24)
    assert len(drawn(field, 20.0, 0.0, 0.0)[0].interiors) + len(drawn(field, 20.0, 0.0, 0.0)[1].interiors) == 2


def test_a_saddle_is_two_corners() -> None:
    field = np.full((6, 6), FAR, np.float32)
    field[2, 2] = field[3, 3] = 0
    shapes = drawn(field, 20.0, 0.0, 0.0)
    assert len(shapes) == 2
    assert shapely.is_valid(shapely.multipolygons(shapes))
