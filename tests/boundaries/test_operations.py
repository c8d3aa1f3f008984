"""Operations of a planner: whatever they do, the city stays divided at every level, or they are refused."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo_grid.boundaries.division import Cell, Division, Refused
from geo_grid.boundaries.operations import carve, describe, merge, move_border, reshape, split, transfer
from geo_grid.coordinates import LATTICE_STEP, snap_geometry
from tests.boundaries.test_drawn import wavy
from tests.squares import SIDE, SOUTH, WEST, square

WIDTH = 6
CHICAGO = Path(__file__).parents[2] / "../shared/data"


def cell(code: str, level: int, parent: str | None, shape: shapely.Geometry, scheme: str = "local") -> Cell:
    return Cell(code, level, parent, code, scheme, "basic", 100, shape)


def wavy_city() -> Division:
    """Three levels: four quarters of nine cells each, and the whole."""
    small = {
        (x, y): cell(f"c{x}{y}", 3, f"q{x // 3}{y // 3}", wavy(square(x, y)))
        for x in range(WIDTH)
        for y in range(WIDTH)
    }
    quarters = {
        code: cell(code, 2, "P", shapely.coverage_union_all([c.shape for c in small.values() if c.parent_code == code]))
        for code in {c.parent_code for c in small.values()}
        if code is not None
    }
    whole = cell("P", 1, None, shapely.coverage_union_all([c.shape for c in small.values()]))
    return Division([whole, *quarters.values(), *small.values()])


def check(division: Division) -> None:
    """Prove the whole of it, not only what an operation touched."""
    outline = None
    for level in sorted({c.grid_level for c in division.cells.values()}):
        shapes = np.array([c.shape for c in division.cells.values() if c.grid_level == level], dtype=object)
        assert shapely.is_valid(shapes).all()
        assert shapely.coverage_is_valid(shapes)
        united = shapely.normalize(shapely.coverage_union_all(shapes))
        assert outline is None or shapely.equals_identical(united, outline), level
        outline = united
    for one in division.cells.values():
        if children := division.children(one.grid_code):
            united = shapely.coverage_union_all([division.cells[child].shape for child in children])
            assert shapely.equals_identical(shapely.normalize(united), shapely.normalize(one.shape)), one.grid_code
        corners = shapely.get_coordinates(one.shape) / LATTICE_STEP
        assert (corners == np.rint(corners)).all()


def at(x: float, y: float) -> tuple[float, float]:
    return WEST + x * SIDE, SOUTH + y * SIDE


def test_a_cell_is_split_and_its_neighbours_bend_along() -> None:
    city = wavy_city()
    edits = split(city, "c22", shapely.LineString([at(1.7, 2.6), at(3.4, 2.3)]))
    after = city.proved(edits)
    check(after)
    fresh = next(code for code in edits if code not in city.cells)
    assert fresh == "c22.2"
    assert shapely.area(after.cells["c22"].shape) > shapely.area(after.cells[fresh].shape)
    # the ends of the line lie on borders of neighbours, and of the quarter and the whole above
    assert {"c12", "c32", "q00", "q10"} <= edits.keys()
    again = after.proved(split(after, "c22", shapely.LineString([at(2.5, 1.5), at(2.5, 3.5)])))
    assert "c22.3" in again.cells


def test_neighbours_are_merged_and_the_larger_keeps_its_code() -> None:
    city = wavy_city()
    after = city.proved(merge(city, ["c00", "c01", "c10"], keep="c01"))
    check(after)
    assert {"c00", "c10"}.isdisjoint(after.cells)
    assert after.cells["c01"].household_count == 300
    quarters = after.proved(merge(after, ["q00", "q01"]))
    check(quarters)
    assert len(quarters.children(next(q for q in ("q00", "q01") if q in quarters.cells))) == 16
    assert "c00" in quarters.used_codes


def test_a_border_moves_at_every_level() -> None:
    city = wavy_city()
    line = shapely.LineString([at(2.4, 0.5), at(2.4, 2.5)])  # c21 and c31 lie in two quarters
    edits = move_border(city, "c21", "c31", line)
    after = city.proved(edits)
    check(after)
    for code, smaller in (("c21", True), ("q00", True), ("c31", False), ("q10", False)):
        before, now = shapely.area(city.cells[code].shape), shapely.area(after.cells[code].shape)
        assert bool(now < before) is smaller, code


def test_a_cell_is_carved_out_of_two() -> None:
    city = wavy_city()
    area = shapely.Polygon([at(0.6, 0.3), at(1.4, 0.3), at(1.4, 0.7), at(0.6, 0.7)])
    after = city.proved(carve(city, ["c00", "c10"], area, "邢台站"))
    check(after)
    station = next(c for c in after.cells.values() if c.name == "邢台站")
    assert (station.cell_kind, station.grid_code, station.parent_code) == ("dedicated", "c00.2", "q00")


def test_a_cell_goes_to_another_parent() -> None:
    city = wavy_city()
    after = city.proved(transfer(city, "c22", "q10"))
    check(after)
    assert "c22" in after.children("q10")
    assert shapely.covers(after.cells["q10"].shape, city.cells["c22"].shape)


def test_what_is_said_of_a_cell_changes_without_its_border() -> None:
    city = wavy_city()
    after = city.proved(describe(city, "c22", name="新名", household_count=400))
    assert (after.cells["c22"].name, after.cells["c22"].household_count) == ("新名", 400)
    assert after.cells["c22"].shape is city.cells["c22"].shape


def test_codes_follow_their_scheme_and_are_never_given_twice() -> None:
    shape = wavy(square(0, 0))
    cells = [cell("130502001001", 1, None, shape, "division_code_12")]
    cells += [cell("130502001001007", 2, "130502001001", shape, "unit_grid_15")]
    city = Division(cells, ["130502001001009", "130502002001044"])
    after = city.proved(split(city, "130502001001007", shapely.LineString([at(-1, 0.5), at(2, 0.5)])))
    assert "130502001001010" in after.cells
    check(after)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (lambda c: split(c, "c22", shapely.LineString([at(2.3, 2.3), at(2.6, 2.6)])), "does not divide"),
        (lambda c: split(c, "c22", shapely.LineString([at(2, 2), at(3, 3), at(3, 2), at(2, 3)])), "crosses itself"),
        (lambda c: split(c, "q00", shapely.LineString([at(-1, 1), at(4, 1)])), "divided further"),
        (lambda c: split(c, "zz", shapely.LineString([at(-1, 1), at(4, 1)])), "no grid cell zz"),
        (lambda c: split(c, "c22", shapely.LineString(np.column_stack([np.linspace(0, 1, 100_000), np.zeros(100_000)]))), "corners"),
        (lambda c: merge(c, ["c00", "c22"]), "not neighbours"),
        (lambda c: merge(c, ["c22", "c32"]), "different parents"),
        (lambda c: merge(c, ["c22"]), "at least two"),
        (lambda c: move_border(c, "c00", "c22", shapely.LineString([at(0, 0), at(3, 3)])), "not neighbours"),
        (lambda c: move_border(c, "c00", "c10", shapely.LineString([at(0, 0.2), at(0.1, 0.3)])), "once across both"),
        (lambda c: transfer(c, "c00", "q11"), "does not border"),
        (lambda c: transfer(c, "c00", "q00"), "not another parent"),
        (lambda c: transfer(c, "c00", "c10"), "not another parent"),
        (lambda c: carve(c, ["c00"], shapely.Polygon([at(3, 3), at(4, 3), at(4, 4)]), "x"), "does not reach"),
        (lambda c: carve(c, ["c00"], shapely.Polygon([at(-1, -1), at(4, -1), at(4, 4), at(-1, 4)]), "x"), "without any land"),
        (lambda c: carve(c, ["c00"], shapely.Polygon([at(-1, 0.4), at(2, 0.4), at(2, 0.6), at(-1, 0.6)]), "x"), "in pieces"),
        (lambda c: carve(c, ["c00"], shapely.Polygon([at(0, 0), at(1, 1), at(1, 0), at(0, 1)]), "x"), "crosses itself"),
    ],
)  # fmt: skip
def test_what_would_break_is_refused_in_a_planners_words(operation, words: str) -> None:
    with pytest.raises(Refused, match=words):
        operation(wavy_city())


def chicago() -> Division:
    """The beats and districts of Chicago's police, the districts re-cut to their beats."""
    beats = gpd.read_file(CHICAGO / "chicago_police_beats.geojson")
    shapes = snap_geometry(beats.geometry.to_numpy())
    of_district = np.array([f"d{beat[:2]}" for beat in beats["beat"]])  # the first two digits of a beat
    districts = {code: shapely.coverage_union_all(shapes[of_district == code]) for code in set(of_district.tolist())}
    small = [
        cell(f"b{n}", 2, code, shape) for n, (code, shape) in enumerate(zip(of_district.tolist(), shapes, strict=True))
    ]
    return Division([*(cell(code, 1, None, shape) for code, shape in districts.items()), *small])


def random_operation(city: Division, chance: np.random.Generator):
    """Some operation at a random place, as a planner's hand may draw it."""
    leaves = [code for code in city.cells if not city.children(code)]
    one = city.cells[leaves[chance.integers(len(leaves))]]
    west, south, east, north = shapely.bounds(one.shape)
    size = np.array([east - west, north - south])
    middle = np.array([(west + east) / 2, (south + north) / 2]) + chance.normal(size=2) * size / 6
    angle = chance.random() * np.pi
    reach = np.array([np.cos(angle), np.sin(angle)]) * size.max() * 1.5
    bend = middle + chance.normal(size=2) * size / 8
    line = shapely.LineString([middle - reach, bend, middle + reach])
    neighbours = [c for c in city.near(one.shape) if c.grid_level == one.grid_level and c is not one]
    other = neighbours[chance.integers(len(neighbours))] if neighbours else one
    kind = chance.integers(6)
    if kind == 0:
        return split(city, one.grid_code, line)
    if kind == 1:
        return merge(city, [one.grid_code, other.grid_code])
    if kind == 2:
        area = shapely.Point(middle).buffer(size.min() / (3 + 5 * chance.random()), quad_segs=3)
        return carve(city, [one.grid_code], area, "carved")
    if kind == 3 and other.parent_code is not None:
        return transfer(city, one.grid_code, other.parent_code)
    return move_border(city, one.grid_code, other.grid_code, line)


@pytest.mark.parametrize(("make", "tries"), [(wavy_city, 150), (chicago, 400)])
def test_any_sequence_leaves_a_division_or_is_refused(make, tries: int) -> None:
    city, chance = make(), np.random.default_rng(20261125)
    before = city
    done = refused = 0
    for _ in range(tries):
        try:
            city = city.proved(random_operation(city, chance))
            done += 1
        except Refused:
            refused += 1
    assert done > tries / 4, (done, refused)
    check(city)
    assert set(before.cells) - set(city.cells) <= city.used_codes


def islands() -> Division:
    """Two levels: A in two parts with B between them, C an island far off that belongs to B too."""
    a = shapely.MultiPolygon([square(0, 0), square(2, 0)])
    b = shapely.MultiPolygon([square(1, 0), square(5, 0)])
    cells = [cell("A", 2, "P", a), cell("B", 2, "P", b)]
    return Division([cell("P", 1, None, shapely.coverage_union_all([a, b])), *cells])


def test_a_cell_of_several_parts_is_split_only_where_the_line_crosses() -> None:
    city = islands()
    after = city.proved(split(city, "A", shapely.LineString([at(-0.5, 0.25), at(1.5, 0.25)])))
    assert after.children("P") == ["A", "A.2", "B"]  # and not A.3, the part that the line does not touch
    assert shapely.equals(after.cells["A.2"].shape, shapely.box(*at(0, 0), *at(1, 0.25)))
    rest = shapely.union(shapely.box(*at(0, 0.25), *at(1, 1)), square(2, 0))
    assert shapely.equals(after.cells["A"].shape, rest)
    assert shapely.equals(after.cells["B"].shape, city.cells["B"].shape)
    with pytest.raises(Refused, match="does not divide"):
        split(city, "A", shapely.LineString([at(1.5, -1), at(1.5, 2)]))  # it crosses B alone


def test_a_border_moves_where_the_line_crosses_and_parts_elsewhere_stay() -> None:
    city = islands()
    after = city.proved(move_border(city, "A", "B", shapely.LineString([at(0.5, -1), at(0.5, 2)])))
    west, east = shapely.box(*at(0, 0), *at(0.5, 1)), square(2, 0)
    assert shapely.equals(after.cells["A"].shape, shapely.union(west, east))
    between = shapely.box(*at(0.5, 0), *at(2, 1))
    assert shapely.equals(after.cells["B"].shape, shapely.union(between, square(5, 0)))


def test_a_cell_of_several_parts_can_be_carved_and_reshaped() -> None:
    city = islands()
    after = city.proved(carve(city, ["A"], shapely.box(*at(-1, -1), *at(0.5, 2)), "school"))
    assert shapely.get_num_geometries(after.cells["A"].shape) == 2
    after = city.proved(reshape(city, "A", shapely.union(square(0, 0), shapely.box(*at(1, 0), *at(1.5, 1)))))
    assert shapely.covers(after.cells["B"].shape, square(5, 0))
