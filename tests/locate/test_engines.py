"""The step `Owners` in real engines: Dask, Spark and DuckDB answer as the Locator, Spark also when workers are killed.

Ray and SedonaDB: `make bench-bulk`.
"""

import os
import pickle
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely

from geo_grid.china_datums import shifted
from geo_grid.coordinates import snap_geometry
from geo_grid.errors import InvalidCoordinates, UnreadableFile
from geo_grid.locate import Locator
from geo_grid.locate.engines import Owners
from tests.documents import ROOT, Command, Terminal, commands, difference, text_of
from tests.squares import SIDE, SOUTH, WEST, square

COUNT = 40_000


@pytest.fixture(scope="module")
def locator(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Locator:
    beats = gpd.read_file(shared / "chicago_police_beats.geojson")
    made = Locator.from_geodataframe(beats.set_geometry(snap_geometry(beats.geometry.to_numpy()), crs=4326), "beat")
    made.save(tmp_path_factory.mktemp("locators") / "beats")
    return made


@pytest.fixture(scope="module")
def points(locator: Locator) -> pd.DataFrame:
    """Points of Chicago and around; each hundredth row has none."""
    west, south, east, north = locator.bounds or (0, 0, 0, 0)
    lon, lat = np.random.default_rng(11).uniform((west, south), (east, north), (COUNT, 2)).T
    missing = np.arange(COUNT) % 100 == 7
    lon[missing], lat[missing] = np.nan, np.nan
    return pd.DataFrame({"number": np.arange(COUNT), "lon": lon, "lat": lat})


@pytest.fixture(scope="module")
def expected(locator: Locator, points: pd.DataFrame) -> list[str | None]:
    there = points["lon"].notna().to_numpy()
    owner = np.full(COUNT, -1)
    owner[there] = locator.owners(points["lon"][there], points["lat"][there])
    codes = [*locator.codes.tolist(), None]
    assert 0.3 < (owner >= 0).mean() < 0.9
    return [codes[number] for number in owner]


def told(frame: pd.DataFrame) -> list[str | None]:
    """The owners of all rows in the order of the points, where each is there once."""
    frame = frame.sort_values("number")
    assert frame["number"].tolist() == list(range(COUNT))
    return [None if pd.isna(code) else code for code in frame["owner"]]


def once_killed(folder: Path, times: int) -> None:
    """End this process with SIGKILL, as often as asked in all processes."""
    for attempt in range(times):
        try:
            (folder / str(attempt)).touch(exist_ok=False)
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)


def test_dask(locator: Locator, points: pd.DataFrame, expected: list[str | None]) -> None:
    import dask
    import dask.dataframe as dd

    owners = Owners(locator)
    owned = dd.from_pandas(points, npartitions=4).map_partitions(owners.frame)
    assert owned.dtypes["owner"] == "str"
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool, dask.config.set(pool=pool):
        assert told(owned.compute(scheduler="processes")) == expected


@pytest.fixture(scope="module")
def spark() -> Iterator[object]:
    if shutil.which("java") is None:
        pytest.fail("Java is missing: setup.sh test installs it")
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[1, 3]")  # one core, three attempts
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # starts sooner
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "5000")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
        del os.environ["PYSPARK_PYTHON"]


def test_spark_gives_each_answer_once_though_workers_are_killed_twice(
    spark, locator: Locator, points: pd.DataFrame, expected: list[str | None], tmp_path: Path
) -> None:
    owners = Owners(locator)
    frame = spark.createDataFrame(pa.Table.from_pandas(points)).repartition(2)

    def killed_in_the_middle(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(owners.batches(batches)):
            yield batch
            if number == 1:
                once_killed(tmp_path, 2)

    owned = frame.mapInArrow(killed_in_the_middle, owners.spark_schema(frame.schema))
    assert told(owned.toPandas()) == expected
    assert len(list(tmp_path.iterdir())) == 2


def test_sparks_example_of_the_documents(spark, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the session that is there: tests/test_documents.py would have to start another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beats.geojson").symlink_to(shared / "chicago_police_beats.geojson")
    terminal = Terminal(tmp_path, dict(os.environ), "")
    try:
        for command in python_under("bulk.md", "## In an engine", "Spark:"):
            assert not difference(command.answer, terminal.python(command.text)), command
    finally:
        terminal.close()


def python_under(document: str, *headings: str) -> Iterator[Command]:
    """The commands of the first block under each of some lines of a document."""
    lines = text_of(ROOT / "docs" / document).splitlines()
    blocks: dict[int, list[Command]] = {}
    for command in commands(ROOT / "docs" / document):
        begins = max(at for at, line in enumerate(lines[: command.line], 1) if line.startswith("```"))
        blocks.setdefault(begins, []).append(command)
    for heading in headings:
        yield from blocks[min(begins for begins in blocks if begins > lines.index(heading))]


@pytest.mark.parametrize("cores", [1, 2])
def test_duckdb(locator: Locator, points: pd.DataFrame, expected: list[str | None], cores: int) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.sql("create table points as from points")
        owned = Owners(locator).reader(connection.sql("from points"), cores)
        assert owned.schema.names == ["number", "lon", "lat", "owner"]
        assert told(connection.cursor().sql("from owned").df()) == expected


def test_a_table_of_arrow_as_ray_hands_it_on(
    locator: Locator, points: pd.DataFrame, expected: list[str | None]
) -> None:
    owners = pickle.loads(pickle.dumps(Owners(locator)))
    table = owners.table(pa.Table.from_pandas(points).append_column("owner", pa.nulls(COUNT)))
    assert table["owner"].to_pylist() == expected
    assert owners.table(table.slice(0, 0)).schema == table.schema


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_points_as_geometry(locator: Locator, points: pd.DataFrame, expected: list[str | None], encoding: str) -> None:
    geometry = shapely.points(points["lon"], points["lat"])
    geometry[points["lon"].isna()] = None
    frame = gpd.GeoDataFrame({"number": points["number"]}, geometry=geometry, crs=4326)
    table = pa.table(frame.to_arrow(geometry_encoding=encoding))
    assert Owners(locator).table(table)["owner"].to_pylist() == expected


def test_points_in_another_datum(tmp_path: Path) -> None:
    Locator.from_polygons(["A", "B"], [square(0, 0), square(1, 0)]).save(tmp_path / "two")
    lon, lat = np.array([WEST + SIDE / 2, WEST + SIDE * 3 / 2]), np.full(2, SOUTH + SIDE / 2)
    x, y = shifted(lon, lat, "GCJ-02")
    frame = pd.DataFrame({"east": x, "north": y})
    owners = Owners(Locator.load(tmp_path / "two"), "cell", lon="east", lat="north", crs="gcj02")
    assert owners.frame(frame)["cell"].tolist() == ["A", "B"]


class TestRefusals:
    def test_a_locator_that_was_not_saved(self) -> None:
        with pytest.raises(ValueError, match="save it first"):
            Owners(Locator.from_polygons(["A"], [square(0, 0)]))

    def test_a_place_that_is_none(self, locator: Locator) -> None:
        with pytest.raises(InvalidCoordinates, match="point 1"):
            Owners(locator).table(pa.table({"lon": [-87.6, 0.0], "lat": [41.8, 91.0]}))

    def test_half_a_point(self, locator: Locator) -> None:
        with pytest.raises(InvalidCoordinates, match="finite"):
            Owners(locator).table(pa.table({"lon": [-87.6, None], "lat": [41.8, 41.8]}))

    def test_a_line_where_a_point_should_be(self, locator: Locator) -> None:
        shapes = np.array([shapely.Point(-87.6, 41.8), shapely.LineString([(0, 0), (1, 1)])])
        table = pa.table(gpd.GeoDataFrame(geometry=shapes, crs=4326).to_arrow())
        with pytest.raises(InvalidCoordinates, match="point 1: is a LineString"):
            Owners(locator).table(table)

    def test_a_table_without_points(self, locator: Locator) -> None:
        with pytest.raises(UnreadableFile, match="no column lon"):
            Owners(locator).table(pa.table({"a": [1]}))

    def test_another_locator_at_the_same_place(self, tmp_path: Path) -> None:
        Locator.from_polygons(["A"], [square(0, 0)]).save(tmp_path / "one")
        begun = pickle.dumps(Owners(Locator.load(tmp_path / "one")))
        Locator.from_polygons(["B"], [square(0, 0)]).save(tmp_path / "one")
        with pytest.raises(UnreadableFile, match="another Locator"):
            pickle.loads(begun).table(pa.table({"lon": [WEST], "lat": [SOUTH]}))
