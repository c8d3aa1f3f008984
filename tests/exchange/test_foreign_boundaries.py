"""Boundaries as other people's programs write them: healed within a stated tolerance, or refused with place and size."""

import json
from importlib.metadata import distribution
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo_grid.boundaries import examine, read_division
from geo_grid.boundaries.check import coverage_problems
from geo_grid.boundaries.healing import heal
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.errors import InvalidRows
from geo_grid.exchange import Mapping, Report, import_file
from geo_grid.layers import find_layer
from geo_grid.locate import Locator
from geo_grid.locate.coverage import coverage_faults, width_m
from geo_grid.progress import silent
from tests.squares import SIDE, SOUTH, STEP, WEST, local_levels, square, write_geojson

FIRST = Mapping({"grid_code": "code"}, {"grid_level": "1"})


@pytest.fixture
def city(database: str) -> str:
    with connect(database) as connection:
        local_levels(connection)
    return database


def load(conninfo: str, path: Path, mapping: Mapping = FIRST, **options: object) -> Report:
    with connect(conninfo) as connection:
        return import_file(connection, find_layer("grid_cells"), path, silent, "EPSG:4326", mapping, **options)


def stored(conninfo: str) -> tuple[list[str], np.ndarray]:
    with connect(conninfo) as connection:
        rows = connection.execute(
            "select grid_code, ST_AsBinary(geom) as g from grid_cells where valid_to is null order by 1"
        ).fetchall()
    return [row["grid_code"] for row in rows], shapely.from_wkb([bytes(row["g"]) for row in rows])


def test_a_corner_that_one_neighbour_lacks_is_given_to_it(city: str, cases: Path) -> None:
    with pytest.raises(InvalidRows, match="cannot come into force"):
        load(city, cases / "t_junction.geojson", heal_m=0.0)
    report = load(city, cases / "t_junction.geojson")
    assert (report.imported, [(h["code"], h["metres"], h["lon"], h["lat"]) for h in report.healed]) == (
        3,
        [("A", 0.0, 114.5, 37.5)],
    )
    assert "A by 0.0 mm near lon 114.500000 lat 37.500000" in report.notes[0]
    assert not coverage_problems(*stored(city))


def test_a_narrow_gap_is_the_same_fault_for_import_check_and_index(city: str, cases: Path) -> None:
    path = cases / "sliver_gap.geojson"
    with pytest.raises(InvalidRows) as refused:
        load(city, path)
    assert [row for row, _ in refused.value.rows] == [1, 2]
    for _, reason in refused.value.rows:
        assert "gap" in reason
        assert "0.4 m wide, 7.9 m2" in reason
        assert "near lon 114.5099" in reason
        assert "--heal 0.37" in reason
    with pytest.raises(InvalidRows, match=r"0\.4 m wide near lon 114.5099"):
        Locator.from_geodataframe(gpd.read_file(path), "code")
    report = load(city, path, heal_m=0.37)
    assert [round(h["metres"], 1) for h in report.healed] == [0.4]
    codes, shapes = stored(city)
    assert not coverage_problems(codes, shapes)
    Locator.from_polygons(codes, shapes)
    # stored by an older geo_grid, which did not see it
    with connect(city) as connection:
        connection.execute("set session_replication_role = replica")
        for code, shape in zip("AB", snap_geometry(gpd.read_file(path).geometry.to_numpy()), strict=True):
            wkb = shapely.to_wkb(shapely.multipolygons([shape]))
            connection.execute(
                "update grid_cells set geom = ST_SetSRID(ST_GeomFromWKB(%s), 4490) where grid_code = %s", (wkb, code)
            )
        found = examine(read_division(connection))
    assert {(f.kind, f.grid_code) for f in found if "narrow gap" in f.text} == {
        ("overlap or mismatch", "A"),
        ("overlap or mismatch", "B"),
    }


@pytest.mark.parametrize("name", ["tiny_hole", "near_duplicate_corner"])
def test_details_smaller_than_the_lattice_vanish(city: str, cases: Path, name: str) -> None:
    report = load(city, cases / f"{name}.geojson")
    assert report.imported == 1
    assert [note for note in report.notes if "holes" in note] == (
        ["the number of holes changed on the lattice of 1.7 mm, from 1 to 0, in row 1"] * (name == "tiny_hole")
    )
    _, shapes = stored(city)
    (given,) = gpd.read_file(cases / f"{name}.geojson").geometry
    assert shapely.hausdorff_distance(shapes[0], shapely.Polygon(given.exterior)) < STEP


def test_rows_that_differ_in_shape_alone_are_parts_of_one_cell(city: str, tmp_path: Path) -> None:
    rows = [({"code": "A"}, square(0, 0)), ({"code": "B"}, square(1, 0)), ({"code": "A"}, square(2, 0))]
    write_geojson(str(tmp_path / "cells.geojson"), rows)
    report = load(city, tmp_path / "cells.geojson")
    assert (report.rows, report.imported) == (3, 3)
    assert report.notes == ["rows 1, 3 say the same but for their shape: parts of A"]
    codes, shapes = stored(city)
    assert dict(zip(codes, shapely.get_num_geometries(shapes).tolist(), strict=True)) == {"A": 2, "B": 1}


def test_what_is_wider_than_the_tolerance_is_named_beside_the_rows_that_were_skipped(city: str, tmp_path: Path) -> None:
    wide = shapely.box(*(np.array(square(1, 0).bounds) - [SIDE / 100, 0, 0, 0]))
    rows = [
        ({"code": "A"}, square(0, 0)),
        ({"code": "B"}, wide),
        ({"code": "C"}, square(5, 5)),
        ({"code": "D"}, shapely.Point(114, 37)),
    ]
    write_geojson(str(tmp_path / "cells.geojson"), rows)
    with pytest.raises(InvalidRows) as refused:
        load(city, tmp_path / "cells.geojson", skip_invalid=True, heal_m=0.5)
    reasons = dict(refused.value.rows)
    assert reasons[1].startswith("overlaps B (6.9 m wide, 6")
    assert reasons[2].startswith("overlaps A (6.9 m wide, 6")
    assert "Point" in reasons[4]


SECOND = Mapping({"grid_code": "code"}, {"grid_level": "2"})
THIRD = Mapping({"grid_code": "code"}, {"grid_level": "3"})


def put(
    conninfo: str, folder: Path, mapping: Mapping, *rows: tuple[dict[str, object], object], **options: object
) -> Report:
    write_geojson(str(folder / "cells.geojson"), list(rows))
    return load(conninfo, folder / "cells.geojson", mapping, **options)


def test_a_cell_in_force_gains_the_corner_that_a_new_neighbour_needs(database: str, tmp_path: Path) -> None:
    """With all that shares the border: its parent, the parent's neighbour, and its own children; nothing else changes."""
    with connect(database) as connection:
        local_levels(connection, 3)
    east = shapely.union_all([square(1, 0), square(1, 1)])
    put(database, tmp_path, FIRST, ({"code": "P"}, square(0, 0, 1, 2)), ({"code": "Q"}, square(1, 0, 1, 2)))
    put(database, tmp_path, SECOND, ({"code": "A", "household_count": 7}, square(0, 0, 1, 2)))
    put(database, tmp_path, THIRD, ({"code": "a", "household_count": 7}, square(0, 0, 1, 2)))
    put(database, tmp_path, FIRST, ({"code": "R"}, square(9, 9)))
    with pytest.raises(InvalidRows) as refused:
        put(database, tmp_path, SECOND, ({"code": "B"}, square(1, 0)), ({"code": "C"}, square(1, 1)), heal_m=0.0)
    assert "--heal 0.01" in refused.value.rows[0][1]
    report = put(database, tmp_path, SECOND, ({"code": "B"}, square(1, 0)), ({"code": "C"}, square(1, 1)))
    corner = (square(1, 1).bounds[0], square(1, 1).bounds[1])
    assert [(h["code"], h["metres"], h["lon"], h["lat"]) for h in report.healed] == [("A", 0.0, *corner)]
    codes, shapes = stored(database)
    assert [
        code
        for code, shape in zip(codes, shapes, strict=True)
        if corner in set(map(tuple, shapely.get_coordinates(shape)))
    ] == list("ABCPQa")
    assert shapely.equals(dict(zip(codes, shapes, strict=True))["Q"], east)
    with connect(database) as connection:
        households = connection.execute(
            "select grid_code, household_count from grid_cells where valid_to is null and household_count is not null order by 1"
        ).fetchall()
        editions = connection.execute(
            "select count(distinct edition_id) as n from grid_cells where valid_to is null and grid_code = any(%s)",
            (list("ABCPQa"),),
        ).fetchone()
        assert [tuple(row.values()) for row in households] == [("A", 7), ("a", 7)]
        assert editions == {"n": 1}
        assert [finding for finding in examine(read_division(connection)) if "overlap" in finding.kind] == []


def test_a_cell_in_force_keeps_its_ground(city: str, tmp_path: Path) -> None:
    """A gap that only it could close is refused with the way out; a neighbour that overlaps it is cut."""
    put(city, tmp_path, FIRST, ({"code": "A"}, square(0, 0)))
    before = stored(city)[1][0].wkt
    west, south, east, north = square(1, 0).bounds
    report = put(city, tmp_path, FIRST, ({"code": "B"}, shapely.box(west - 4 * STEP, south, east, north)))
    assert [h["code"] for h in report.healed] == ["B"]
    assert stored(city)[1][0].wkt == before
    assert not coverage_problems(*stored(city))


def test_faults_in_force_neither_hide_nor_stop_what_comes(city: str, cases: Path, tmp_path: Path) -> None:
    with connect(city) as connection:  # as an older geo_grid stored it
        load(city, cases / "t_junction.geojson")
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update grid_cells set geom = ST_Multi(ST_MakeEnvelope(114, 37, 114.5, 38, 4490)) where grid_code = 'A'"
        )
    tee = [({"code": "X"}, square(50, 0, 1, 2)), ({"code": "Y"}, square(51, 0)), ({"code": "Z"}, square(51, 1))]
    write_geojson(
        str(tmp_path / "more.geojson"),
        [(row, shapely.transform(shape, lambda xy: np.add(xy, [1, 0]))) for row, shape in tee],
    )
    assert [h["code"] for h in load(city, tmp_path / "more.geojson").healed] == ["X"]


def ragged(shape: shapely.Geometry, seed: int) -> shapely.Geometry:
    """A border as it comes of another program: each corner a millimetre off, otherwise for each polygon."""

    def moved(degrees: np.ndarray) -> np.ndarray:
        at = np.sin(np.round(degrees * 1e7) @ [12.9898, 78.233] + seed) * 43758.5453
        return degrees + ((at - np.floor(at))[:, None] - 0.5) * 2e-8

    return shapely.transform(shape, moved)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("chicago_police_districts.geojson", "district"),
        ("chicago_beats_2019/beats.shp", "beat_num"),
        ("xingtai_counties_reference.geojson", "gb"),
    ],
)
def test_real_divisions_come_in(city: str, shared: Path, name: str, code: str) -> None:
    """As they are, with details that only one neighbour has, and a millimetre apart."""
    given = gpd.read_file(shared / name).to_crs(4326)
    report = load(city, shared / name, Mapping({"grid_code": code}, {"grid_level": "1"}))
    assert report.imported == len(given)
    assert report.healed == []

    # neighbours of each other, from the middle outwards: half a second for each that is ragged
    shapes = given.geometry.to_numpy()
    outwards = np.argsort(shapely.distance(shapes, shapely.centroid(shapely.union_all(shapes))), kind="stable")
    shapes, codes = shapes[outwards], given[code].astype(str).to_numpy()[outwards].tolist()
    for count, spoilt in (
        (8, [ragged(shape, number) for number, shape in enumerate(shapes[:8])]),
        (40, [shapely.simplify(shape, 1e-9) if number % 2 else shape for number, shape in enumerate(shapes[:40])]),
    ):
        healed, moved, left = heal(codes[:count], snap_geometry(np.array(spoilt, dtype=object)), 0.01)
        assert left == []
        assert coverage_faults(codes[:count], healed) == []
        assert max((change.metres for change in moved), default=0) < 0.01
        assert (snap_geometry(healed) == healed).all()


def test_widths_are_those_of_the_largest_circle() -> None:
    metre = 1 / 111_320
    strip = shapely.box(0, 0, 100 * metre, 0.3 * metre)
    assert width_m(strip) == pytest.approx(0.3, rel=1e-3)
    assert width_m(shapely.Polygon([(0, 0), (100 * metre, 0), (50 * metre, metre)])) == pytest.approx(1, rel=0.02)
    assert width_m(shapely.Point(0, 0).buffer(50 * metre)) == pytest.approx(100, rel=0.01)


def test_the_report_of_healing_is_read_by_programs(city: str, cases: Path) -> None:
    report = load(city, cases / "t_junction.geojson", dry_run=True)
    assert json.loads(json.dumps(report.healed))[0]["code"] == "A"


LIBPYSAL = Path(str(distribution("libpysal").locate_file("libpysal/examples")))


@pytest.mark.parametrize(
    ("name", "crs", "code", "count"),
    [
        ("10740/10740.shp", "EPSG:4269", "STFID", 195),  # tracts of Albuquerque
        ("chicago/Chicago77.shp", "EPSG:3435", "AREA_NUMBE", 77),  # in feet
        ("columbus/columbus.shp", "EPSG:4326", "POLYID", 49),
        ("georgia/G_utm.shp", "EPSG:26917", "AreaKey", 159),
        ("mexico/mexicojoin.shp", "EPSG:4326", "CODE", 32),
        ("sids2/sids2.shp", "EPSG:4267", "FIPSNO", 100),
        ("stl/stl_hom.shp", "EPSG:4326", "FIPSNO", 78),
        ("us_income/us48.shp", "EPSG:4326", "STATE_FIPS", 48),
        ("virginia/vautm17n.shp", "EPSG:32617", "FIPS", 136),
    ],
)
def test_foreign_divisions_come_in_as_they_are(city: str, name: str, crs: str, code: str, count: int) -> None:
    mapping = Mapping({"grid_code": code}, {"grid_level": "1"})
    with connect(city) as connection:
        report = import_file(connection, find_layer("grid_cells"), LIBPYSAL / name, silent, crs, mapping)
    assert (report.imported, max((change["metres"] for change in report.healed), default=0.0) <= 0.01) == (count, True)
    assert not coverage_problems(*stored(city))


def test_a_foreign_division_that_is_none_is_refused_with_place_and_size(city: str) -> None:
    """Municipalities around Tokyo: ten touch themselves, which is mended; some overlap others by hundreds of metres."""
    mapping = Mapping({"grid_code": "GEOCODE"}, {"grid_level": "1"})
    with connect(city) as connection, pytest.raises(InvalidRows) as refused:
        import_file(
            connection, find_layer("grid_cells"), LIBPYSAL / "tokyo/tokyomet262.shp", silent, "EPSG:30166", mapping
        )
    reasons = dict(refused.value.rows)
    assert "overlaps 08449 (709.4 m wide, 5.4e+05 m2) near lon 140.487833 lat 35.947433" in reasons[16]
    assert not any("touches itself" in reason for reason in reasons.values())


def test_a_border_that_touches_itself_is_made_valid_and_told(city: str, tmp_path: Path) -> None:
    """Two squares that meet in a corner, drawn in one line that touches itself there: plain. A line that crosses itself
    there, as when two corners are in the wrong order, or goes around a square within a square: not.
    """
    (west, south, _, _), step = square(0, 0).bounds, SIDE / 4
    eight = [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1), (0, 0)]
    crossed = [(0, 0), (1, 0), (1, 2), (2, 2), (2, 1), (0, 1), (0, 0)]
    twice = [(0, 0), (3, 0), (3, 3), (0, 3), (0, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 0)]

    def drawn(corners: list[tuple[int, int]]) -> shapely.Polygon:
        return shapely.Polygon([(west + x * step, south + y * step) for x, y in corners])

    report = put(city, tmp_path, FIRST, ({"code": "A"}, drawn(eight)))
    assert report.notes[0].startswith("the borders of 1 shapes crossed or touched themselves")
    codes, shapes = stored(city)
    assert (codes, shapely.area(shapes[0])) == (["A"], pytest.approx(2 * step**2))
    with pytest.raises(InvalidRows) as refused:
        put(city, tmp_path, FIRST, ({"code": "B"}, shapely.transform(drawn(twice), lambda xy: xy + SIDE)))
    (reason,) = dict(refused.value.rows).values()
    assert "Self-intersection" in reason
    assert "173.6 m wide near lon 114.510742" in reason
    for corners, heal_m in ((eight, 0.0), (crossed, 0.01)):
        with pytest.raises(InvalidRows, match="cannot be imported"):
            put(city, tmp_path, FIRST, ({"code": "C"}, drawn(corners)), heal_m=heal_m)


def test_borders_that_tangle_are_refused_before_anybody_asks_what_they_enclose(city: str, tmp_path: Path) -> None:
    """Of 4,000 corners in no order, each side crosses a third of the others: to tell what they enclose took minutes."""
    corners = [(WEST + n * 7919 % 4000 / 4000 * SIDE, SOUTH + n * 4729 % 4000 / 4000 * SIDE) for n in range(4000)]
    write_geojson(
        str(tmp_path / "a.geojson"), [({"code": "A"}, shapely.Polygon(corners)), ({"code": "B"}, square(1, 0))]
    )
    with pytest.raises(InvalidRows) as refused:
        load(city, tmp_path / "a.geojson", heal_m=0.01)
    assert [(row, "more than 1,000 times" in reason) for row, reason in refused.value.rows] == [(1, True)]
