"""`geo-grid locate --file points.parquet`: owners of any number of points, all or nothing, whatever form they come in."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyarrow import parquet

from geo_grid.china_datums import shifted
from geo_grid.errors import InvalidRows, UnreadableFile, UserError
from geo_grid.exchange import Asked, Located, locate_points
from geo_grid.files.points.parquet_file import read_parquet
from geo_grid.locate import CityIndex, open_city
from tests.commands import geo_grid
from tests.squares import SIDE, SOUTH, STEP, WEST

MIDDLES = {"A": (0.5, 0.5), "B": (1.5, 0.5), "C": (0.5, 1.5), "D": (1.5, 1.5), None: (5.0, 5.0)}
"""Of each cell of the city and one place outside, in sides of a square east and north of its corner."""
OWN_CRS = Asked(crs=None, cores=2)


@pytest.fixture(scope="module")
def city(four_cells: str, tmp_path_factory: pytest.TempPathFactory) -> CityIndex:
    return CityIndex.load(open_city(four_cells, tmp_path_factory.mktemp("editions"), 1))


def places(codes: list[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """A place in each of the cells."""
    lon, lat = (np.array([(WEST, SOUTH)[axis] + SIDE * MIDDLES[code][axis] for code in codes]) for axis in (0, 1))
    return lon, lat


def located(
    city: CityIndex, table: pa.Table, folder: Path, asked: Asked = OWN_CRS, **options: Any
) -> tuple[Located, pa.Table]:
    source, sink = folder / "points.parquet", folder / "owners.parquet"
    parquet.write_table(table, source, **options)
    done = locate_points(city, source, sink, "parquet", asked)
    return done, parquet.read_table(sink)


CODES = ["A", "D", None, "B", "C", "A"]


def as_numbers(lon: np.ndarray, lat: np.ndarray) -> pa.Table:
    return pa.table({"经度": pa.array(lon, from_pandas=True), "lat": pa.array(lat, from_pandas=True)})


def geometry(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    made = shapely.points(lon, lat)
    made[np.isnan(lon)] = None
    return made


def as_file(lon: np.ndarray, lat: np.ndarray, encoding: str, folder: Path) -> pa.Table:
    """GeoParquet as geopandas writes it."""
    gpd.GeoDataFrame(geometry=geometry(lon, lat), crs=4326).to_parquet(
        folder / "made.parquet", geometry_encoding=encoding, schema_version="1.1.0"
    )
    return parquet.read_table(folder / "made.parquet")


def as_wkb(lon: np.ndarray, lat: np.ndarray, kind: pa.DataType, **options: Any) -> pa.Table:
    """A column marked as GeoArrow, in a file that is no GeoParquet."""
    wkb = shapely.to_wkb(geometry(lon, lat), **options)
    field = pa.field("place", kind, metadata={"ARROW:extension:name": "geoarrow.wkb"})
    return pa.table([pa.array(wkb.tolist(), kind)], pa.schema([field]))


def as_geoarrow(lon: np.ndarray, lat: np.ndarray, interleaved: bool) -> pa.Table:
    frame = gpd.GeoDataFrame(geometry=geometry(lon, lat), crs=4326)
    return pa.table(frame.to_arrow(geometry_encoding="geoarrow", interleaved=interleaved))


FORMS = {
    "numbers": lambda lon, lat, folder: as_numbers(lon, lat),
    "GeoParquet, WKB": lambda lon, lat, folder: as_file(lon, lat, "WKB", folder),
    "GeoParquet, coordinates": lambda lon, lat, folder: as_file(lon, lat, "geoarrow", folder),
    "WKB": lambda lon, lat, folder: as_wkb(lon, lat, pa.binary()),
    "large WKB": lambda lon, lat, folder: as_wkb(lon, lat, pa.large_binary()),
    "big-endian WKB": lambda lon, lat, folder: as_wkb(lon, lat, pa.binary(), byte_order=0),
    "WKB with an SRID": lambda lon, lat, folder: as_wkb(lon, lat, pa.binary(), include_srid=True),
    "interleaved GeoArrow": lambda lon, lat, folder: as_geoarrow(lon, lat, True),
    "separated GeoArrow": lambda lon, lat, folder: as_geoarrow(lon, lat, False),
}


@pytest.mark.parametrize("form", FORMS)
def test_points_in_any_form_get_their_owners_and_rows_without_a_point_stay(
    city: CityIndex, tmp_path: Path, form: str
) -> None:
    lon, lat = places(CODES)
    lon, lat = np.insert(lon, 3, np.nan), np.insert(lat, 3, np.nan)
    table = FORMS[form](lon, lat, tmp_path).append_column("number", pa.array(range(len(lon))))
    done, owners = located(city, table, tmp_path, row_group_size=3)
    assert (done.points, done.unassigned, done.missing, done.invalid_count) == (7, 1, 1, 0)
    assert owners["grid_code"].to_pylist() == ["A", "D", None, None, "B", "C", "A"]
    assert owners["unassigned"].to_pylist() == [False, False, True, None, False, False, False]
    assert owners["distance_to_boundary_m"].null_count == 2
    assert owners["number"].to_pylist() == list(range(7))
    stored = parquet.read_schema(tmp_path / "points.parquet")
    for name in table.schema.names:
        assert owners[name].equals(table[name])
        assert owners.schema.field(name).equals(stored.field(name), check_metadata=True)
    told = owners.schema.metadata
    assert json.loads(told[b"edition"]) == 1
    assert told.get(b"geo") == (table.schema.metadata or {}).get(b"geo")
    if b"geo" in told:
        assert gpd.read_parquet(tmp_path / "owners.parquet").geometry.notna().sum() == 6


@pytest.mark.parametrize("crs", ["GCJ-02", "BD-09", "EPSG:4547"])
def test_other_reference_systems(city: CityIndex, tmp_path: Path, crs: str) -> None:
    lon, lat = places(CODES)
    if crs == "EPSG:4547":
        frame = gpd.GeoDataFrame(geometry=shapely.points(lon, lat), crs=4490).to_crs(4547)
        x, y = frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy()
    else:
        x, y = shifted(lon, lat, crs)
    _, owners = located(city, as_numbers(x, y), tmp_path, Asked(crs))
    assert owners["grid_code"].to_pylist() == CODES


def test_the_files_own_reference_system_is_used_unless_another_is_said(city: CityIndex, tmp_path: Path) -> None:
    lon, lat = places(CODES)
    frame = gpd.GeoDataFrame(geometry=shapely.points(lon, lat), crs=4490)
    frame.to_crs(4547).to_parquet(tmp_path / "flat.parquet")
    _, owners = located(city, parquet.read_table(tmp_path / "flat.parquet"), tmp_path)
    assert owners["grid_code"].to_pylist() == CODES
    x, y = shifted(lon, lat, "GCJ-02")  # which no file can say of itself
    gpd.GeoDataFrame(geometry=shapely.points(x, y), crs=4326).to_parquet(tmp_path / "shifted.parquet")
    _, owners = located(city, parquet.read_table(tmp_path / "shifted.parquet"), tmp_path, Asked("GCJ-02"))
    assert owners["grid_code"].to_pylist() == CODES


def test_levels_and_columns_of_the_answers_names(city: CityIndex, tmp_path: Path) -> None:
    table = as_numbers(*places(CODES)).append_column("grid_code", pa.array(["old"] * 6))
    _, owners = located(city, table, tmp_path, Asked(levels=(1,)))
    assert owners["grid_code_1"].to_pylist() == ["P", "P", None, "P", "P", "P"]
    assert owners.schema.names.count("grid_code") == 1
    assert owners["grid_code"].to_pylist() == CODES


def test_no_rows_are_no_error(city: CityIndex, tmp_path: Path) -> None:
    done, owners = located(city, as_numbers(*places([])), tmp_path)
    assert done.points == owners.num_rows == 0
    assert owners.schema.names[:3] == ["经度", "lat", "grid_code"]


def test_columns_without_any_value_are_rows_without_points(city: CityIndex, tmp_path: Path) -> None:
    done, owners = located(city, pa.table({"lon": pa.nulls(3), "lat": pa.nulls(3)}), tmp_path)
    assert (done.points, done.missing) == (3, 3)
    assert owners["grid_code"].null_count == 3


def test_what_is_no_place_is_named_by_its_row_or_skipped(city: CityIndex, tmp_path: Path) -> None:
    lon, lat = places(["A"] * 6)
    table = pa.table({
        "lon": pa.array([lon[0], math.nan, None, lat[3], lon[4], None]),
        "lat": pa.array([lat[0], lat[1], lat[2], lon[3], 91.0, None]),
    })  # fmt: skip
    with pytest.raises(InvalidRows, match="4 of 6 points are no places") as refused:
        located(city, table, tmp_path)
    assert [row for row, _ in refused.value.rows] == [2, 3, 4, 5]
    assert "swapped" in refused.value.rows[2][1]
    done, owners = located(city, table, tmp_path, Asked(skip_invalid=True, cores=2))
    assert (done.invalid_count, done.missing, done.unassigned) == (4, 1, 0)
    assert owners["grid_code"].to_pylist() == ["A", None, None, None, None, None]
    assert [bool(problem) for problem in owners["problem"].to_pylist()] == [False, True, True, True, True, False]


def test_lines_among_points_are_named_by_their_rows(city: CityIndex, tmp_path: Path) -> None:
    lon, lat = places(["A", "B"])
    shapes = np.array([shapely.Point(lon[0], lat[0]), shapely.LineString([(1, 1), (2, 2)]), shapely.Point()])
    frame = gpd.GeoDataFrame(geometry=shapes, crs=4326)
    frame.to_parquet(tmp_path / "made.parquet")
    with pytest.raises(InvalidRows) as refused:
        located(city, parquet.read_table(tmp_path / "made.parquet"), tmp_path)
    assert refused.value.rows == [(2, "is a LineString, no point")]


def test_shapes_within_shapes_are_no_point_however_deep(city: CityIndex, tmp_path: Path) -> None:
    """Read by GEOS in the command itself, they ended it with a segmentation fault."""
    deep = struct.pack("<BII", 1, 7, 1) * 50_000 + shapely.to_wkb(shapely.Point(114.5, 37))
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }
    kinds = [deep, b"\x01", b"", struct.pack("<BI", 1, 1), struct.pack("<BI", 7, 1), struct.pack("<BIdd", 1, 99, 1, 1)]
    table = pa.table({"geometry": pa.array(kinds, pa.binary())}).replace_schema_metadata({b"geo": json.dumps(geo)})
    with pytest.raises(InvalidRows) as refused:
        located(city, table, tmp_path)
    assert refused.value.rows[0] == (1, "is a GeometryCollection, no point")
    assert [why for _, why in refused.value.rows[1:]] == ["is no readable WKB"] * 5


BROKEN_GEO = (
    b'{"primary_column": "nothing"}', b'{"primary_column": 5, "columns": []}', b'{"primary_column": {}, "columns": {}}', b"[]",
    b'{"primary_column": "lon", "columns": {"lon": {"encoding": ["WKB"]}}}', b"5", b'{"primary_column": "lon", "columns": {"lon": 1}}',
)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"a": [1]}), "no column lon"),
        (pa.table({"lon": ["x"], "lat": ["y"]}), "not numbers"),
        *((pa.table({"lon": [1.0]}).replace_schema_metadata({b"geo": geo}), "geo metadata is not what GeoParquet")
          for geo in BROKEN_GEO),
        (
            pa.table(gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_arrow(geometry_encoding="geoarrow")),
            "encoded as geoarrow.polygon: write points",
        ),
    ],
)  # fmt: skip
def test_files_without_points_are_refused(city: CityIndex, tmp_path: Path, table: pa.Table, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says) as refused:
        located(city, table, tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_cut_or_broken_anywhere_is_refused_or_answered_whole(city: CityIndex, tmp_path: Path) -> None:
    source, sink = tmp_path / "points.parquet", tmp_path / "owners.parquet"
    lon, lat = places(CODES * 100)
    parquet.write_table(as_numbers(lon, lat), source)
    whole = source.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 50)):
        source.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile, match="not a readable Parquet file") as refused:
            locate_points(city, source, sink, "parquet", Asked(cores=2))
        assert len(str(refused.value).splitlines()) == 1
    rng = np.random.default_rng(5)
    for _ in range(100):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            broken[place] ^= int(rng.integers(1, 256))
        source.write_bytes(broken)
        try:
            done, said = locate_points(city, source, sink, "parquet", Asked(cores=2)), ""
        except UserError as error:
            done, said = None, str(error)
        assert len(said.splitlines()) <= 1
        assert done is None or parquet.read_metadata(sink).num_rows == done.points


def test_rows_that_take_much_are_read_few_at_a_time(city: CityIndex, tmp_path: Path) -> None:
    long, short = tmp_path / "long.parquet", tmp_path / "short.parquet"
    lon, lat = places(["A"] * 2_000)
    parquet.write_table(as_numbers(lon, lat), short)
    parquet.write_table(as_numbers(lon, lat).append_column("note", pa.array(["long " * 20_000] * 2_000)), long)
    sizes = []
    for path in (short, long):
        sizes.append(next(iter(read_parquet(path).batches)).num_rows)
    assert sizes == [2_000, 1_024]  # stored once, the text takes little in the file
    table = parquet.read_table(long)
    wrong = pa.array([91.0 if row in (5, 1_023, 1_024, 1_999) else lat[row] for row in range(2_000)])
    with pytest.raises(InvalidRows, match="4 of 2000 points are no places") as refused:
        located(city, table.set_column(1, "lat", wrong), tmp_path)
    assert [row for row, _ in refused.value.rows] == [6, 1_024, 1_025, 2_000]


class TestCommand:
    @pytest.fixture
    def points(self, tmp_path: Path) -> Path:
        path = tmp_path / "points.parquet"
        parquet.write_table(as_numbers(*places(CODES)), path)
        return path

    def test_owners_come_as_a_file(self, four_cells: str, points: Path, tmp_path: Path) -> None:
        owners = tmp_path / "owners.parquet"
        said = geo_grid(four_cells, "locate", "--file", points, "--out", owners).stderr
        assert "6 points, 1 of them outside every grid cell; edition 1" in said
        assert parquet.read_table(owners)["grid_code"].to_pylist() == CODES
        assert sorted(tmp_path.iterdir()) == [owners, points]

    def test_what_was_there_before_stays_when_it_fails(self, four_cells: str, points: Path, tmp_path: Path) -> None:
        owners = tmp_path / "owners.parquet"
        owners.write_text("before")
        points.write_bytes(points.read_bytes()[:-30])
        said = geo_grid(four_cells, "locate", "--file", points, "--out", owners, expect=2).stderr
        assert "geo-grid: this is not a readable Parquet file" in said
        assert owners.read_text() == "before"
        assert sorted(tmp_path.iterdir()) == [owners, points]


def test_a_point_on_a_border_goes_to_the_smallest_code(city: CityIndex, tmp_path: Path) -> None:
    lon, lat = WEST + SIDE + np.array([-STEP, 0.0, STEP]), np.full(3, SOUTH + SIDE / 2)
    _, owners = located(city, as_numbers(lon, lat), tmp_path)
    assert owners["grid_code"].to_pylist() == ["A", "A", "B"]
