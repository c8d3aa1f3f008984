"""Files as attackers write them: small, under honest names."""

import io
import json
import os
import sqlite3
import struct
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import shapely


def pipeline(written: Path) -> bytes:
    """GDAL's own JSON for a chain of commands, which writes a file."""
    command = f"gdal vector pipeline ! read /etc/passwd --if CSV ! write --of CSV {written}"
    return json.dumps({"type": "gdal_streamed_alg", "command_line": command}).encode()


def virtual(read: Path) -> bytes:
    """A virtual dataset over another file."""
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="{read.stem}"><SrcDataSource relativeToVRT="0">CSV:{read}</SrcDataSource>'
        "<GeometryType>wkbNone</GeometryType></OGRVRTLayer></OGRVRTDataSource>"
    ).encode()


def service(address: str) -> bytes:
    """The description of a web service."""
    return f"<OGRWFSDataSource><URL>{address}/wfs?SERVICE=WFS</URL><Timeout>30</Timeout></OGRWFSDataSource>".encode()


def point(properties: str = "{}", crs: str = "") -> bytes:
    feature = f'{{"type":"Feature","properties":{properties},"geometry":{{"type":"Point","coordinates":[114.5,37]}}}}'
    return f'{{"type":"FeatureCollection",{crs}"features":[{feature}]}}'.encode()


def package_that_runs(path: Path, secret: Path) -> None:
    """A GeoPackage whose layer is a view that opens another file."""
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326).to_file(path, layer="t", driver="GPKG")
    with sqlite3.connect(path) as opened:
        opened.execute("pragma writable_schema = on")
        opened.execute(
            "insert into sqlite_master values ('table', 'evil', 'evil', 0,"
            f" 'create virtual table evil using VirtualOGR(''{secret}'', 0)')"
        )
        opened.execute("update gpkg_contents set table_name = 'evil', identifier = 'evil'")
        opened.execute("update gpkg_geometry_columns set table_name = 'evil'")


def package_without_end(path: Path) -> None:
    """A GeoPackage whose layer is a view that never comes to an end."""
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326).to_file(path, layer="t", driver="GPKG")
    with sqlite3.connect(path) as opened:
        (shape,) = opened.execute("select hex(geom) from t").fetchone()
        opened.execute("drop table t")
        opened.execute(
            "create view endless as with recursive n(i) as (select 1 union all select i + 1 from n)"
            f" select i as fid, x'{shape}' as geom, i as a from n"
        )
        opened.execute("update gpkg_contents set table_name = 'endless', identifier = 'endless'")
        opened.execute("update gpkg_geometry_columns set table_name = 'endless'")


def package_that_computes(path: Path) -> None:
    """A GeoPackage with a column that is computed anew for each row, at length."""
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326).to_file(path, layer="t", driver="GPKG")
    with sqlite3.connect(path) as opened:
        opened.execute("alter table t add column long text as (length(printf('%.*c', 900000000, 'x')))")


def without_end(path: Path) -> None:
    """Shapes as KML whose text goes on for days, in a file that takes no room."""
    path.write_bytes(b"<kml>")
    os.truncate(path, 1 << 42)


def far_cell() -> bytes:
    """A workbook of two cells, the second in the last place of the sheet."""
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>lon</t></is></c><c r="B1" t="inlineStr"><is><t>lat</t></is></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    return _workbook({"xl/worksheets/sheet1.xml": sheet})


def laughing_workbook() -> bytes:
    """A workbook whose sheet is made of entities of entities."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    sheet = (
        f'<?xml version="1.0"?><!DOCTYPE worksheet [<!ENTITY l0 "ha">{laughs}]>'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&l11;</t></is></c></row></sheetData></worksheet>'
    )
    return _workbook({"xl/worksheets/sheet1.xml": sheet})


def many_sheets(count: int) -> bytes:
    """A workbook that names one sheet, with rows, so many times."""
    row = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>lon</t></is></c></row>'
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f"{row.format(1)}{row.format(2)}</sheetData></worksheet>"
    )
    return _workbook({"xl/worksheets/sheet1.xml": sheet}, count)


def _workbook(parts: dict[str, str], sheets: int = 1) -> bytes:
    names = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="r1"/>' for n in range(1, sheets + 1))
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        **parts,
    }  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def repeated_text(rows: int = 100_000, length: int = 100_000) -> bytes:
    """GeoParquet of one long text, written once and repeated."""
    one = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))
    wkb = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array([shapely.to_wkb(shapely.Point(114.5, 37))])
    )
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }
    table = pa.table({"name": one, "geometry": wkb}).replace_schema_metadata({"geo": json.dumps(geo)})
    made = io.BytesIO()
    pa.parquet.write_table(table, made, compression="zstd")
    return made.getvalue()


def empty_rings(rows: int = 2_000, rings: int = 1_000) -> bytes:
    """Polygons of empty rings, as GeoParquet: 4 bytes each in the file, an object each in memory."""
    polygon = struct.pack("<BII", 1, 3, rings) + struct.pack("<I", 0) * rings
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}}}
    table = pa.table({"name": ["x"] * rows, "geometry": pa.array([polygon] * rows, pa.binary())})
    made = io.BytesIO()
    pa.parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), made, compression="zstd")
    return made.getvalue()


def over_each_other(west: float, south: float, side: float, count: int = 40) -> bytes:
    """Squares that lie over each other, as GeoJSON."""
    ring = [[west, south], [west + side, south], [west + side, south + side], [west, south + side], [west, south]]
    cell = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    return json.dumps({"type": "FeatureCollection", "features": [cell] * count}).encode()
