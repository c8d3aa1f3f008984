"""The Locator against two other programs: GEOS in process and PostGIS; 0 differences."""

import pickle
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geo_grid.coordinates import LATTICE_STEP, snap, snap_geometry
from geo_grid.db import Connection, connect, copy_rows, ewkb
from geo_grid.errors import InvalidCoordinates, InvalidRows, UnreadableFile
from geo_grid.locate import Locator, kernels
from geo_grid.locate import locator as locator_module
from tests.squares import SIDE, SOUTH, STEP, WEST, square


def by_geos(polygons: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """The same question, answered by GEOS: smallest index of the polygons that cover a point, or -1."""
    point, polygon = shapely.STRtree(polygons).query(shapely.points(lon, lat), predicate="covered_by")
    found = np.full(len(lon), len(polygons), dtype=np.int64)
    np.minimum.at(found, point, polygon)
    return np.where(found == len(polygons), -1, found)


def adversarial(polygons: np.ndarray, limit: int = 200_000) -> np.ndarray:
    """Every vertex, every edge's middle, and one lattice step to each side of both."""
    vertices = shapely.get_coordinates(polygons)
    rings = shapely.get_rings(polygons)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    middles = snap((points[1:][same] + points[:-1][same]) / 2)
    base = np.unique(np.vstack([vertices, middles]), axis=0)
    base = base[np.random.default_rng(5).permutation(len(base))[: limit // 9]]
    steps = np.array([(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]) * LATTICE_STEP
    return (base[:, None] + steps[None]).reshape(-1, 2)


def leaves(conninfo: str) -> tuple[np.ndarray, np.ndarray]:
    with connect(conninfo) as connection:
        rows = connection.execute(
            "select grid_code, ST_AsBinary(geom) as g from grid_cells c where not exists"
            " (select from grid_cells k where k.parent_code = c.grid_code) order by grid_code"
        ).fetchall()
    return np.array([r["grid_code"] for r in rows]), shapely.from_wkb([bytes(r["g"]) for r in rows])


@pytest.fixture(scope="module")
def beats(shared: Path) -> gpd.GeoDataFrame:
    frame = gpd.read_file(shared / "chicago_police_beats.geojson").sort_values("beat").reset_index(drop=True)
    return frame.set_geometry(snap_geometry(frame.geometry.to_numpy()), crs=4326)


def test_the_demo_citys_adversarial_points_have_the_same_owner_in_both(demo: str) -> None:
    codes, polygons = leaves(demo)
    locator = Locator.from_polygons(codes, polygons)
    points = adversarial(polygons)
    assert np.array_equal(locator.owners(*points.T), by_geos(polygons, *points.T))


def test_chicagos_million_random_points_and_all_vertices(beats: gpd.GeoDataFrame) -> None:
    polygons = beats.geometry.to_numpy()
    locator = Locator.from_geodataframe(beats, "beat")
    west, south, east, north = beats.total_bounds
    rng = np.random.default_rng(2)
    random = snap(rng.uniform((west, south), (east, north), (1_000_000, 2)))
    vertices = shapely.get_coordinates(polygons)
    assert len(vertices) > 71_000
    for points in (random, vertices, adversarial(polygons, 90_000)):
        assert np.array_equal(locator.owners(*points.T), by_geos(polygons, *points.T))


def by_postgis(connection: Connection, polygons: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The twin: one set-based statement; smallest index of the polygons that cover a point, or -1."""
    connection.execute("create temp table twin_cells (number int, geom geometry(MultiPolygon, 4490)) on commit drop")
    connection.execute("create temp table twin_points (id int, geom geometry(Point, 4490)) on commit drop")
    connection.execute(
        "create temp table twin_places (id int generated always as identity, x float8, y float8) on commit drop"
    )
    multi = ewkb([shapely.multipolygons(shapely.get_parts(p)) for p in polygons])
    copy_rows(connection, "twin_cells", ["number", "geom"], enumerate(multi.tolist()))
    places = np.zeros(
        len(points), np.dtype([("fields", ">i2"), ("l1", ">i4"), ("x", ">f8"), ("l2", ">i4"), ("y", ">f8")])
    )
    places["fields"], places["l1"], places["l2"] = 2, 8, 8
    places["x"], places["y"] = points.T
    with connection.cursor() as cursor, cursor.copy("copy twin_places (x, y) from stdin (format binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + places.tobytes() + b"\xff\xff")
    connection.execute("insert into twin_points select id - 1, ST_SetSRID(ST_MakePoint(x, y), 4490) from twin_places")
    connection.execute("create index on twin_points using gist (geom)")
    connection.execute("analyze twin_points, twin_cells")
    rows = connection.execute(
        "select array_agg(id) as ids, array_agg(number) as numbers from (select p.id, min(c.number) as number"
        " from twin_cells c join twin_points p on ST_Covers(c.geom, p.geom) group by p.id) owned"
    ).fetchone()
    connection.execute("drop table twin_cells, twin_points, twin_places")
    found = np.full(len(points), -1)
    if rows["ids"]:
        found[rows["ids"]] = rows["numbers"]
    return found


def test_postgis_says_the_same_of_chicagos_points(beats: gpd.GeoDataFrame, database: str) -> None:
    """200,000 random points, every vertex, every edge's middle and one step to each side of both."""
    polygons = beats.geometry.to_numpy()
    locator = Locator.from_geodataframe(beats, "beat")
    west, south, east, north = beats.total_bounds
    random = snap(np.random.default_rng(3).uniform((west, south), (east, north), (200_000, 2)))
    points = np.vstack([random, shapely.get_coordinates(polygons), adversarial(polygons, 100_000)])
    with connect(database) as connection:
        assert np.array_equal(locator.owners(*points.T), by_postgis(connection, polygons, points))


def test_postgis_says_the_same_of_the_demo_citys_corners(demo: str) -> None:
    codes, polygons = leaves(demo)
    points = adversarial(polygons, 90_000)
    with connect(demo) as connection:
        expected = by_postgis(connection, polygons, points)
    assert np.array_equal(Locator.from_polygons(codes, polygons).owners(*points.T), expected)


def test_the_police_agree_with_the_owner_or_its_neighbours_across_the_street(shared: Path) -> None:
    """14,652 real incidents on street centre lines, which are also the beats' borders."""
    frame = gpd.read_file(shared / "chicago_beats_2019/beats.shp").dissolve("beat_num").reset_index()
    incidents = pd.read_csv(shared / "chicago_incidents_2001_2019.csv", dtype={"beat": str})
    incidents = incidents[incidents["date"] >= "2013"]
    incidents = incidents[incidents["latitude"].notna()]
    recorded = incidents["beat"].str.zfill(4).to_numpy()
    assert len(incidents) == 14_652
    locator = Locator.from_geodataframe(frame, "beat_num")
    lon, lat = incidents["longitude"].to_numpy(), incidents["latitude"].to_numpy()
    owner = locator.owners(lon, lat)
    agrees = np.where(owner < 0, "", locator.codes[owner]) == recorded
    assert 100 * agrees.mean() == pytest.approx(91.47, abs=0.02)
    near = [
        ok or code in {name for name, _ in locator.alternatives(x, y, 0.5)}
        for ok, code, x, y in zip(agrees, recorded, lon, lat, strict=True)
    ]
    assert np.mean(near) >= 0.998


@st.composite
def coverages(draw: st.DrawFn) -> np.ndarray:
    """Random coverages: merged triangles of random lattice points, with holes and multipolygons."""
    side = draw(st.sampled_from([4, 20, 200, 2**20, 2**31]))
    points = draw(st.lists(st.tuples(st.integers(0, side), st.integers(0, side)), min_size=4, max_size=25, unique=True))
    origin = draw(st.sampled_from([(0, 0), (-180 * 2**26, -90 * 2**26), (114 * 2**26, 37 * 2**26)]))
    coordinates = (np.array(points) + np.array(origin)) * LATTICE_STEP
    triangles = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(coordinates)))
    label = np.array(draw(st.lists(st.integers(0, 4), min_size=len(triangles), max_size=len(triangles))), dtype=int)
    parts = [shapely.coverage_union_all(triangles[label == n]) for n in range(1, 5) if (label == n).any()]
    polygons = np.array([p for p in parts if shapely.is_valid(p) and p.area > 0], dtype=object)
    return polygons if len(polygons) and shapely.coverage_is_valid(polygons) else np.array([], dtype=object)


@st.composite
def anything(draw: st.DrawFn) -> np.ndarray:
    """Triangles and boxes that may touch, overlap, lie in each other, or form a coverage."""
    side = draw(st.sampled_from([3, 6, 2**20]))
    shapes = []
    for _ in range(draw(st.integers(1, 5))):
        corners = draw(
            st.lists(st.tuples(st.integers(0, side), st.integers(0, side)), min_size=3, max_size=3, unique=True)
        )
        points = [(114.5 + x * LATTICE_STEP, 37 + y * LATTICE_STEP) for x, y in corners]
        shape = draw(st.sampled_from([shapely.Polygon(points), shapely.box(*shapely.Polygon(points).bounds)]))
        if shape.area > 0:
            shapes.append(shape)
    return np.array(shapes, dtype=object)


@settings(max_examples=1000, deadline=None)
@given(anything())
def test_what_the_quick_proof_accepts_is_a_coverage(polygons: np.ndarray) -> None:
    """The proof may say no to a coverage (shapely is asked then), but never yes to anything else."""
    if not len(polygons):
        return
    index, shared_by_two = locator_module._build(polygons)
    if shared_by_two and kernels.is_coverage(index):
        assert shapely.coverage_is_valid(polygons)
        assert shapely.unary_union(polygons).area == pytest.approx(sum(p.area for p in polygons), rel=1e-9)


def test_the_quick_proof_knows_real_coverages(beats: gpd.GeoDataFrame, demo: str) -> None:
    for polygons in (beats.geometry.to_numpy(), leaves(demo)[1]):
        index, shared_by_two = locator_module._build(polygons)
        assert shared_by_two
        assert kernels.is_coverage(index)


@settings(max_examples=200, deadline=None)
@given(coverages(), st.integers(0, 2**32))
def test_any_coverage_gives_the_same_owner_as_geos(polygons: np.ndarray, seed: int) -> None:
    if not len(polygons):
        return
    # its holes may be as narrow as a gap that would be refused
    locator = Locator.from_polygons([f"{n}" for n in range(len(polygons))], polygons, on_overlap="smallest_code")
    west, south, east, north = shapely.total_bounds(polygons)
    random = snap(np.random.default_rng(seed).uniform((west, south), (east, north), (300, 2)))
    points = np.vstack([random, adversarial(polygons, 20_000)])
    points = points[(np.abs(points[:, 0]) <= 180) & (np.abs(points[:, 1]) <= 90)]
    found = locator.owners(*points.T)
    assert np.array_equal(found, by_geos(polygons, *points.T))
    single = [locator.owner(*p) for p in points[:50].tolist()]
    assert single == [None if n < 0 else str(locator.codes[n]) for n in found[:50]]


@settings(max_examples=200, deadline=None)
@given(coverages(), st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 400))
def test_points_sorted_by_place_have_the_same_owners(polygons: np.ndarray, seed: int, cores: int, at_once: int) -> None:
    """On corners and beside them, anywhere on Earth, and where no place is."""
    if not len(polygons):
        return
    locator = Locator.from_polygons([f"{n}" for n in range(len(polygons))], polygons, on_overlap="smallest_code")
    rng = np.random.default_rng(seed)
    near = adversarial(polygons, 2_000)
    points = rng.permutation(np.vstack([near, rng.uniform((-180, -90), (180, 90), (50, 2))]))
    points = points[(np.abs(points[:, 0]) <= 180) & (np.abs(points[:, 1]) <= 90)]
    lon, lat = np.ascontiguousarray(points.T)
    expected = locator.owners(lon, lat)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(locator_module, "_SORTED_FROM", 1)
        patched.setattr(locator_module, "_SORTED_AT_ONCE", at_once)
        assert np.array_equal(locator.owners(lon, lat, cores), expected)
        order, x, y = locator.by_place(lon, lat)
        assert np.array_equal(np.sort(order), np.arange(len(lon)))
        assert np.array_equal(x, lon[order])
        assert np.array_equal(y, lat[order])
        lon[len(lon) // 2], lat[-1] = np.nan, 90.1
        with pytest.raises(InvalidCoordinates, match=f"point {len(lon) // 2}:"):
            locator.owners(lon, lat, cores)


def test_many_points_of_the_demo_city_are_sorted_on_both_cores(demo: str) -> None:
    codes, polygons = leaves(demo)
    locator = Locator.from_polygons(codes, polygons)
    lon, lat = np.random.default_rng(4).uniform((113.5, 36.5), (116.0, 38.0), (2_500_000, 2)).T
    few = [locator.owners(x, y) for x, y in zip(np.array_split(lon, 200), np.array_split(lat, 200), strict=True)]
    assert len(few[0]) < locator_module._SORTED_FROM
    for cores in (1, 2):
        assert np.array_equal(locator.owners(lon, lat, cores), np.concatenate(few))


def test_any_coverage_gives_the_same_owner_as_postgis(database: str) -> None:
    with connect(database) as connection:

        @settings(max_examples=60, deadline=None)
        @given(coverages())
        def check(polygons: np.ndarray) -> None:
            if not len(polygons):
                return
            names = [f"{n}" for n in range(len(polygons))]
            points = adversarial(polygons, 9_000)
            points = points[(np.abs(points[:, 0]) <= 180) & (np.abs(points[:, 1]) <= 90)]
            locator = Locator.from_polygons(names, polygons, on_overlap="smallest_code")
            with connection.transaction():
                assert np.array_equal(locator.owners(*points.T), by_postgis(connection, polygons, points))

        check()


def test_the_whole_earth_can_be_one_polygon() -> None:
    locator = Locator.from_polygons(["west", "east"], [shapely.box(-180, -90, 0, 90), shapely.box(0, -90, 180, 90)])
    found = locator.owners([-180, 180, 0, 0, 0, 1e-7, -1e-7], [-90, 90, 90, -90, 0, 0, 0])
    assert locator.codes[found].tolist() == ["west", "east", "east", "east", "east", "east", "west"]


def test_long_slanted_edges_are_exact() -> None:
    """Edges across the whole Earth, whose products would not fit into 64 bits."""
    a, b, c = (-180.0, -90.0), (180.0, 90.0 - STEP), (-180.0, 90.0)
    d = (180.0, -90.0)
    polygons = np.array([shapely.Polygon([a, b, c]), shapely.Polygon([a, d, b])], dtype=object)
    along = np.linspace(-179, 179, 2001)
    lat = snap(-90 + (along + 180) * (180 - STEP) / 360)
    points = np.vstack([np.column_stack([snap(along), lat + k * STEP]) for k in (-2, -1, 0, 1, 2)])
    locator = Locator.from_polygons(["A", "B"], polygons)
    assert np.array_equal(locator.owners(*points.T), by_geos(polygons, *points.T))


class TestDistances:
    def test_to_the_border_in_metres_on_the_ellipsoid(self, demo: str) -> None:
        codes, polygons = leaves(demo)
        locator = Locator.from_polygons(codes, polygons)
        rng = np.random.default_rng(4)
        west, south, east, north = shapely.total_bounds(polygons)
        lon, lat = rng.uniform((west, south), (east, north), (400, 2)).T
        metres = locator.distance_to_boundary(lon, lat)
        owner = locator.owners(lon, lat)
        geod = Geod(ellps="GRS80")
        for i in np.flatnonzero(owner >= 0)[:200]:
            line = shapely.transform(
                shapely.boundary(polygons[owner[i]]), lambda xy, i=i: xy * [np.cos(np.radians(lat[i])), 1]
            )
            here = shapely.Point(lon[i] * np.cos(np.radians(lat[i])), lat[i])
            nearest = shapely.get_coordinates(shapely.shortest_line(here, line))[1]
            _, _, expected = geod.inv(lon[i], lat[i], nearest[0] / np.cos(np.radians(lat[i])), nearest[1])
            assert metres[i] <= expected * 1.0001 + 0.001
            assert metres[i] == pytest.approx(expected, rel=0.01, abs=0.01)  # the flat oracle is 0.7 % off at most
        assert np.isnan(metres[owner < 0]).all()

    def test_a_known_distance(self) -> None:
        locator = Locator.from_polygons(["A", "B"], [square(0, 0), square(1, 0)])
        _, _, expected = Geod(ellps="GRS80").inv(
            WEST + SIDE + SIDE / 8, SOUTH + SIDE / 2, WEST + SIDE, SOUTH + SIDE / 2
        )
        lon, lat = WEST + SIDE + SIDE / 8, SOUTH + SIDE / 2
        assert locator.distance_to_boundary([lon], [lat])[0] == pytest.approx(expected, abs=1e-3)
        assert locator.alternatives(lon, lat, expected + 0.01) == [("A", pytest.approx(expected, abs=1e-3))]
        assert locator.alternatives(lon, lat, expected - 0.01) == []

    def test_a_corner_has_three_neighbours_at_no_distance(self) -> None:
        locator = Locator.from_polygons(list("ABCD"), [square(x, y) for y in (0, 1) for x in (0, 1)])
        assert locator.owner(WEST + SIDE, SOUTH + SIDE) == "A"
        assert locator.alternatives(WEST + SIDE, SOUTH + SIDE, 0.0) == [("B", 0.0), ("C", 0.0), ("D", 0.0)]

    def test_a_point_outside_names_the_polygons_it_may_belong_to(self) -> None:
        locator = Locator.from_polygons(["A"], [square(0, 0)])
        assert locator.owner(WEST - 10 * STEP, SOUTH + SIDE / 2) is None
        assert [code for code, _ in locator.alternatives(WEST - 10 * STEP, SOUTH + SIDE / 2, 1.0)] == ["A"]


class TestBadInput:
    LOCATOR = Locator.from_polygons(["A"], [square(0, 0)])

    @pytest.mark.parametrize(("lon", "lat"), [(np.nan, 0), (0, np.inf), (181, 0), (0, -91)])
    def test_no_place(self, lon: float, lat: float) -> None:
        with pytest.raises(InvalidCoordinates, match="point 1"):
            self.LOCATOR.owners([0, lon], [0, lat])
        with pytest.raises(InvalidCoordinates):
            self.LOCATOR.owner(lon, lat)

    @pytest.mark.parametrize(("lon", "lat"), [([1, 2], [1]), ([[1, 2]], [[1, 2]]), (1, 2)])
    def test_wrong_shapes(self, lon, lat) -> None:
        with pytest.raises(ValueError, match="one-dimensional"):
            self.LOCATOR.owners(lon, lat)

    def test_wrong_types(self) -> None:
        with pytest.raises(ValueError, match="could not convert"):
            self.LOCATOR.owners(["east"], ["north"])

    def test_no_points_and_no_polygons(self) -> None:
        assert self.LOCATOR.owners([], []).shape == (0,)
        nobody = Locator.from_polygons([], [])
        assert nobody.owners([114.5], [37.0]).tolist() == [-1]
        assert nobody.owner(114.5, 37.0) is None

    @pytest.mark.parametrize(
        ("codes", "polygons", "says"),
        [
            (["A", "B"], [square(0, 0), square(0, 0, 2, 1)], "overlaps B"),
            (["A", "A"], [square(0, 0), square(1, 0)], "repeats a code"),
            (["A"], [None], "no polygon"),
            (["A"], [shapely.Point(1, 1)], "neither a polygon"),
            (["A"], [shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], "not valid: Self-intersection"),
        ],
    )
    def test_polygons_that_cannot_be_used_are_named(self, codes, polygons, says: str) -> None:
        with pytest.raises(InvalidRows) as refused:
            Locator.from_polygons(codes, polygons)
        assert any(says in reason for _, reason in refused.value.rows)

    def test_narrow_gaps_are_named_and_wide_ones_are_places_of_others(self) -> None:
        def ring(width: float) -> list[shapely.Polygon]:
            inner = shapely.box(WEST + SIDE, SOUTH + SIDE, WEST + SIDE + width, SOUTH + 2 * SIDE)
            outside = shapely.Polygon(
                shapely.box(WEST, SOUTH, WEST + 3 * SIDE, SOUTH + 3 * SIDE).exterior, [inner.exterior]
            )
            return [outside]

        with pytest.raises(InvalidRows, match=r"1 gaps narrower than 1.0 m .* near lon 114.507"):
            Locator.from_polygons(["A"], ring(30 * STEP))
        for locator in (
            Locator.from_polygons(["A"], ring(30 * STEP), on_overlap="smallest_code"),
            Locator.from_polygons(["A"], ring(SIDE)),
        ):
            assert locator.owner(WEST + SIDE + 10 * STEP, SOUTH + 1.5 * SIDE) is None

    def test_metres_taken_for_degrees(self) -> None:
        with pytest.raises(InvalidCoordinates, match="in degrees"):
            Locator.from_polygons(["A"], [shapely.box(500_000, 4_100_000, 500_100, 4_100_100)])

    def test_overlaps_may_go_to_the_smallest_code(self) -> None:
        polygons = np.array([square(1, 0, 2, 2), square(0, 0, 2, 1), square(0, 1, 2, 1)], dtype=object)
        locator = Locator.from_polygons(["A", "B", "C"], polygons, on_overlap="smallest_code")
        lon, lat = snap(
            np.random.default_rng(1).uniform((WEST, SOUTH), (WEST + 3 * SIDE, SOUTH + 2 * SIDE), (2000, 2))
        ).T
        assert np.array_equal(locator.owners(lon, lat), by_geos(polygons, lon, lat))


class TestKeeping:
    def test_a_saved_one_answers_the_same_and_pickles_as_its_path(self, tmp_path: Path) -> None:
        made = Locator.from_polygons(list("ABCD"), [square(x, y) for y in (0, 1) for x in (0, 1)])
        lon, lat = np.random.default_rng(1).uniform((WEST, SOUTH), (WEST + 2 * SIDE, SOUTH + 2 * SIDE), (1000, 2)).T
        made.save(tmp_path / "edition")
        made.save(tmp_path / "edition")  # again, in its place
        loaded = Locator.load(tmp_path / "edition")
        assert np.array_equal(loaded.owners(lon, lat), made.owners(lon, lat))
        assert len(pickle.dumps(loaded)) < 500
        assert np.array_equal(pickle.loads(pickle.dumps(loaded)).owners(lon, lat), made.owners(lon, lat))
        assert [p.name for p in tmp_path.iterdir()] == ["edition"]

    def test_what_is_no_saved_locator_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile):
            Locator.load(tmp_path)
        (tmp_path / "locator.json").write_text('{"format": 99, "codes": []}')
        with pytest.raises(UnreadableFile, match="build it again"):
            Locator.load(tmp_path)
