"""Whatever a program can write into a file that we read ends in rows, each good or named, or in one clear line."""

import csv
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo_grid.db import connect
from geo_grid.errors import UserError
from geo_grid.exchange import Mapping, import_file
from geo_grid.exchange.locating import Asked, locate_points
from geo_grid.layers import find_layer
from geo_grid.locate import CityIndex, open_city
from geo_grid.progress import silent
from tests.databases import new_database
from tests.squares import two_by_two

EXAMPLES = int(os.environ.get("ANY_FILE_EXAMPLES", "3"))
"""Of each kind of file: few and always the same, so that the suite stays short; or as many as are asked for, new ones."""
IS_SHORT = "ANY_FILE_EXAMPLES" not in os.environ

TIMES = ["2026-11-01 08:30:00", "20261101", "2026", "-", "01/02/2016", "9999-12-31", "1900-01-01T00:00:00+08:05:43",
         "2016年1月29日", "0000-00-00", "24:00", "1e9", "46327.354", "2026-03-08 02:30:00"]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    texts,
    st.sampled_from([*TIMES, "=1+1", "3.402E+19", "大韩民国", "a\x0bb", "\x1a", "'", '"', "1,5", "NaN"]),
)
degrees = st.one_of(
    st.floats(114.49, 114.53),
    st.floats(36.99, 37.03),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e308, 5e-324, 38544987.5]),
)


@st.composite
def shapes(draw: st.DrawFn) -> shapely.Geometry | None:
    """Points, lines and areas of every kind, broken ones too, and none."""
    kind = draw(
        st.sampled_from(
            ["Point", "Point", "Point", "LineString", "Polygon", "Hole", "Empty", "Collection", "None", "3D"]
        )
    )
    place = [draw(degrees), draw(degrees)]
    corners = [[draw(degrees), draw(degrees)] for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            "Point": lambda: shapely.Point(place),
            "LineString": lambda: shapely.LineString([place, place]),
            "Polygon": lambda: shapely.Polygon([place, *corners]),
            "Hole": lambda: shapely.Polygon(shapely.box(114.5, 37, 114.51, 37.01).exterior, [corners]),
            "Empty": shapely.Polygon,
            "Collection": lambda: shapely.GeometryCollection([shapely.Point(place), shapely.LineString(corners)]),
            "None": lambda: None,
            "3D": lambda: shapely.Point([*place, draw(st.floats())]),
        }
        return made[kind]()


MAPPINGS = {
    "facilities": Mapping({"facility_code": "code", "member_count": "count"}, {"facility_kind": "school"}),
    "incidents": Mapping({"category": "name", "received_at": "when"}),
    "road_closures": Mapping({"closure_code": "code", "closed_from": "when"}),
    "grid_cells": Mapping({"grid_code": "code", "household_count": "count"}, {"grid_level": "1"}),
    "cameras": Mapping({"range_m": "count"}),
}


def good_shape(layer: str, number: int) -> shapely.Geometry:
    """What a layer takes, beside that of the row before."""
    west = 114.5 + number * 0.002
    if layer == "grid_cells":  # beside the city, which has cells already
        return shapely.box(west + 0.1, 37, west + 0.102, 37.002)
    if layer == "road_closures":
        return shapely.LineString([(west, 37), (west + 0.001, 37.001)])
    return shapely.Point(west, 37.001)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, gpd.GeoDataFrame]:
    """Name of a layer, and some rows for it: good ones, in which a quarter of all values and shapes are anything."""
    layer, count = draw(st.sampled_from(list(MAPPINGS))), draw(st.sampled_from([5, 6, 4, 2, 1, 0]))
    other = draw(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12))
    is_odd = st.sampled_from([False, False, False, True])
    good = {"code": "C{}", "name": "x {}", "when": "2026-11-01 08:3{}:00", "count": 7, other: "y"}
    columns = {
        name: [
            draw(values) if draw(is_odd) else value.format(row) if isinstance(value, str) else value
            for row in range(count)
        ]
        for name, value in good.items()
    }
    shapes_of_rows = [draw(shapes()) if draw(is_odd) else good_shape(layer, row) for row in range(count)]
    return layer, gpd.GeoDataFrame(
        pd.DataFrame(columns, dtype=object), geometry=gpd.GeoSeries(shapes_of_rows, crs=4326)
    )


@pytest.fixture(scope="module")
def city(cluster) -> Iterator[str]:
    with new_database(cluster, f"any_{os.getpid()}") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        yield conninfo


def kml(plain: pd.DataFrame, shapes: Iterable[shapely.Geometry | None]) -> str:
    """As programs write it that know no schema, nor which characters XML has."""

    def drawn(shape: shapely.Geometry | None) -> str:
        if shape is None:
            return ""
        kind, places = shape.geom_type, shapely.get_coordinates(shape, include_z=True).tolist()
        written = " ".join(f"{x!r},{y!r},{z!r}" for x, y, z in places)
        made = f"<coordinates>{written}</coordinates>"
        if kind == "Polygon":
            made = f"<outerBoundaryIs><LinearRing>{made}</LinearRing></outerBoundaryIs>"
        return (
            f"<{kind}>{made}</{kind}>"
            if kind in ("Point", "LineString", "Polygon")
            else f"<MultiGeometry>{made}</MultiGeometry>"
        )

    marks = []
    for row, shape in zip(plain.to_dict("records"), shapes, strict=True):
        told = "".join(
            f"<Data name={quoteattr(str(name))}><value>{escape(str(value))}</value></Data>"
            for name, value in row.items()
            if value is not None
        )
        marks.append(f"<Placemark><ExtendedData>{told}</ExtendedData>{drawn(shape)}</Placemark>")
    return f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{"".join(marks)}</Document></kml>'


def write(frame: gpd.GeoDataFrame, path: Path, encoding: str) -> bool:
    """Write a table as far as its format takes it: values that it does not, as text."""
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    points = [(g.x, g.y) if isinstance(g, shapely.Point) and not g.is_empty else ("", "") for g in frame.geometry]
    if path.suffix == ".csv":
        made = io.StringIO(newline="")
        writer = csv.writer(
            made, delimiter=";" if encoding == "utf-16" else ",", lineterminator="\r" if encoding == "big5" else "\r\n"
        )
        writer.writerows(
            [
                [*plain.columns, "lon", "lat"],
                *([*row, *at] for row, at in zip(plain.to_numpy().tolist(), points, strict=True)),
            ]
        )
        path.write_bytes(made.getvalue().encode(encoding, "replace"))
        return True
    if path.suffix == ".geojson":
        features = [
            {"type": "Feature", "id": number, "properties": row,
             "geometry": None if shape is None else shapely.geometry.mapping(shape)}
            for number, (row, shape) in enumerate(zip(plain.to_dict("records"), frame.geometry, strict=True))
        ]  # fmt: skip
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
        return True
    if path.suffix == ".kml":
        path.write_text(kml(plain, frame.geometry), encoding="utf-8")
        return True
    kept = frame.copy()
    for name in plain:
        kinds = {type(value) for value in plain[name] if value is not None}
        if kinds not in ({float}, {bool}):
            kept[name] = pd.Series(
                [None if v is None else str(v) for v in plain[name]], dtype=object, index=frame.index
            )
    try:
        if path.suffix == ".xlsx":
            sheet = plain.map(
                lambda v: (
                    v
                    if isinstance(v, bool) or (isinstance(v, float) and np.isfinite(v))
                    else None
                    if v is None
                    else str(v)
                )
            )
            sheet = sheet.assign(lon=[str(x) for x, _ in points], lat=[str(y) for _, y in points])
            sheet.to_excel(path, index=False, engine="xlsxwriter")
        elif path.suffix == ".parquet":
            kept.to_parquet(path)
        else:
            kept.to_file(path)
    except Exception:  # whatever a library cannot write is no file to be read
        return False
    return path.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["csv", "xlsx", "geojson", "gpkg", "parquet", "shp", "fgb", "kml", "gml", "tab"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=IS_SHORT)
@given(
    table=tables(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "big5", "shift-jis", "utf-16"]),
    zone=st.sampled_from(["Asia/Shanghai", "America/Chicago"]),
)
def test_any_file_ends_in_rows_or_one_line(
    city: str, suffix: str, table: tuple[str, gpd.GeoDataFrame], encoding: str, zone: str
) -> None:
    layer, frame = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"any.{suffix}"
        if not write(frame, path, encoding):
            return
        with connect(city) as connection:
            try:
                report = import_file(
                    connection, find_layer(layer), path, silent, "EPSG:4326", MAPPINGS[layer],
                    skip_invalid=True, dry_run=True, timezone=zone,
                )  # fmt: skip
            except UserError as refused:
                said = str(refused)
                rows = getattr(refused, "rows", [])
            else:
                said, rows = " ".join(report.notes), report.skipped
                assert report.imported + len(rows) == report.rows
    assert "Traceback" not in said
    assert "Error" not in said
    assert len(said.splitlines()) <= 1
    assert all(reason and "Error" not in reason for _, reason in rows)


@st.composite
def columns(draw: st.DrawFn) -> pa.RecordBatch:
    """Some columns of anything, two of which are perhaps coordinates."""
    count = draw(st.integers(0, 6))
    kinds = [pa.float64(), pa.float32(), pa.int64(), pa.string(), pa.timestamp("ms", "UTC"), pa.decimal128(30, 8), pa.list_(pa.int8())]  # fmt: skip
    names = draw(st.lists(st.sampled_from(["lon", "lat", "x", "经度", "id", "grid_code", ""]), min_size=1, max_size=4))
    arrays = []
    for name in ["lon", "lat", *names]:
        kind = (
            draw(st.sampled_from([pa.float64()] * 12 + kinds))
            if name in ("lon", "lat")
            else draw(st.sampled_from(kinds))
        )
        some = [draw(st.none() | (degrees if name in ("lon", "lat") else values)) for _ in range(count)]
        try:
            arrays.append(pa.array(some, kind, from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):  # whatever pyarrow cannot write is not sent
            arrays.append(pa.array([114.505] * count, pa.float64()))
    return pa.RecordBatch.from_arrays(arrays, ["lon", "lat", *names])


@pytest.fixture(scope="module")
def index(city: str) -> Iterator[CityIndex]:
    with tempfile.TemporaryDirectory() as folder:
        yield CityIndex.load(open_city(city, Path(folder), 1))


@pytest.mark.parametrize("compression", [None, "zstd"])
@settings(max_examples=30 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=IS_SHORT)
@given(batch=columns(), skips=st.booleans())
def test_any_arrow_stream_ends_in_owners_or_one_line(
    index: CityIndex, compression: str | None, batch: pa.RecordBatch, skips: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, sink = Path(folder) / "in.arrow", Path(folder) / "out.arrow"
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(str(source), batch.schema, options=options) as writer:
            writer.write_batch(batch)
        try:
            done = locate_points(index, source, sink, "arrow", Asked(skip_invalid=skips))
        except UserError as refused:
            said, done = str(refused), None
        if done is None:
            assert "Traceback" not in said
            assert len(said.splitlines()) == 1
            return
        with pa.ipc.open_stream(str(sink)) as reader:
            answered = reader.read_all()
    assert answered.num_rows == done.points == batch.num_rows
    codes = [code for code in answered["grid_code"].to_pylist() if code]
    assert set(codes) <= set("ABCD")
    assert len(codes) == done.points - done.unassigned - (done.invalid_count if skips else 0)
