import csv
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geo_grid.coordinates import LATTICE_STEP, snap_geometry
from geo_grid.demo.gazetteer import read_gazetteer
from geo_grid.settings import asset_dir


@pytest.fixture(scope="module")
def counties() -> gpd.GeoDataFrame:
    frame = gpd.read_file(asset_dir("data") / "boundaries/counties.geojson")
    return frame.set_geometry(snap_geometry(frame.geometry.to_numpy()), crs=4490)


def test_the_eighteen_counties_form_a_valid_coverage_on_the_lattice(counties: gpd.GeoDataFrame) -> None:
    geometry = counties.geometry.to_numpy()
    assert len(counties) == 18
    assert shapely.is_valid(geometry).all()
    assert shapely.coverage_is_valid(geometry)
    assert ((shapely.get_coordinates(geometry) / LATTICE_STEP) % 1 == 0).all()


def test_they_equal_the_reference_within_the_lattice_step(counties: gpd.GeoDataFrame, shared: Path) -> None:
    reference = gpd.read_file(shared / "xingtai_counties_reference.geojson")
    reference["division_code"] = reference["gb"].str.removeprefix("156")
    joined = counties.merge(reference, on="division_code", suffixes=("", "_reference"))
    assert len(joined) == 18
    assert (joined["name"] == joined["name_reference"]).all()
    for ours, theirs in zip(joined["geometry"], joined["geometry_reference"], strict=True):
        # every vertex is the reference's vertex, moved by at most half a step in each direction
        assert shapely.equals_exact(shapely.normalize(ours), shapely.normalize(theirs), LATTICE_STEP) or (
            shapely.hausdorff_distance(ours, theirs) <= LATTICE_STEP
        )


def test_the_file_itself_holds_eight_decimals_that_give_the_lattice_back(counties: gpd.GeoDataFrame) -> None:
    raw = gpd.read_file(asset_dir("data") / "boundaries/counties.geojson").geometry.to_numpy()
    moved = abs(shapely.get_coordinates(raw) - shapely.get_coordinates(counties.geometry.to_numpy()))
    assert moved.max() < 0.5e-8


def test_the_gazetteer_has_the_citys_own_numbers() -> None:
    gazetteer = read_gazetteer()
    assert (len(gazetteer.counties), len(gazetteer.townships), len(gazetteer.villages)) == (18, 198, 5396)
    assert gazetteer.townships["division_code"].is_unique
    assert gazetteer.villages["division_code"].is_unique
    assert set(gazetteer.villages["drawn_in"]) == set(gazetteer.townships["division_code"])


def test_what_the_lists_disagree_on_is_reported() -> None:
    said = "\n".join(read_gazetteer().disagreements)
    for name in ("130571", "阎里乡", "枣园乡", "尖塚镇", "轴承工业园区", "大曹庄管理区", "柳行农场", "大张家庄乡"):
        assert name in said


def test_real_places_lie_inside_the_city(counties: gpd.GeoDataFrame) -> None:
    with (asset_dir("data") / "gazetteer/places.csv").open(encoding="utf-8") as opened:
        places = list(csv.DictReader(opened))
    points = shapely.points([float(p["lon"]) for p in places], [float(p["lat"]) for p in places])
    assert shapely.covers(shapely.union_all(counties.geometry.to_numpy()), points).all()
    kinds = [p["kind"] for p in places]
    assert kinds.count("hospital") >= 20
    assert kinds.count("town_hall") == 22
