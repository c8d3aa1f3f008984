import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.coordinates import (
    LATTICE_STEP,
    geometry_to_lonlat,
    snap,
    snap_geometry,
    source_crs,
    to_lonlat,
)
from geo_grid.errors import InvalidCoordinates, UnknownCrs

degrees = st.floats(-180, 180, allow_nan=False)


@given(degrees)
def test_snapped_degrees_lie_on_the_lattice_and_stay_there(value: float) -> None:
    snapped = float(snap(value))
    assert (snapped / LATTICE_STEP).is_integer()
    assert float(snap(snapped)) == snapped
    assert abs(snapped - value) <= LATTICE_STEP / 2


@given(degrees)
def test_eight_decimals_give_a_lattice_point_back(value: float) -> None:
    snapped = float(snap(value))
    assert float(snap(float(f"{snapped:.8f}"))) == snapped


def test_repeated_vertices_are_dropped_when_snapped() -> None:
    line = shapely.LineString([(0, 0), (1e-12, 0), (1, 1)])
    assert shapely.get_num_coordinates(snap_geometry(line)) == 2


@pytest.mark.parametrize("name", ["EPSG:4490", "EPSG:4326", "OGC:CRS84"])
def test_geographic_systems_equal_to_ours_change_nothing_but_the_lattice(name: str) -> None:
    assert to_lonlat(114.5043, 37.0682, name) == tuple(snap([114.5043, 37.0682]))


def test_cgcs2000_gauss_kruger_is_read_as_easting_northing() -> None:
    # central meridian 114 E, false easting 500 km: half a degree east lies about 44.4 km east of it
    lon, lat = to_lonlat(544_861.0, 4_103_000.0, "EPSG:4547")
    assert lon == pytest.approx(114.5043, abs=1e-3)
    assert lat == pytest.approx(37.06, abs=2e-2)


def test_gcj02_is_shifted_back_by_half_a_kilometre() -> None:
    lon, lat = to_lonlat(114.5043, 37.0682, "GCJ-02")
    metres = np.hypot((lon - 114.5043) * 88_800, (lat - 37.0682) * 111_000)
    assert 498 <= metres <= 580  # measured around Xingtai (DOMAIN, section 6)


@pytest.mark.parametrize("spelling", ["GCJ-02", "gcj02", "GCJ_02", "BD-09", "bd09"])
def test_chinese_datums_have_several_spellings(spelling: str) -> None:
    assert source_crs(spelling).is_geographic


@given(st.floats(114, 116), st.floats(36.8, 37.8))
def test_gcj02_there_and_back_is_exact_to_a_centimetre(lon: float, lat: float) -> None:
    import geocoordinates_ffi as china

    shifted = china.wgs84_to_gcj02(china.Wgs84(lat=lat, lon=lon))
    back = to_lonlat(shifted.lon, shifted.lat, "GCJ-02")
    assert back == pytest.approx((lon, lat), abs=1e-7)


@pytest.mark.parametrize("name", ["EPSG:4610", "EPSG:4214", "EPSG:2334", "EPSG:2412", "EPSG:4555"])
def test_datums_without_a_public_transformation_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UnknownCrs, match="no public transformation"):
        source_crs(name)


@pytest.mark.parametrize("name", ["EPSG:999999", "nonsense", "", "GCJ-03", "'; drop table incidents; --"])
def test_unknown_systems_are_refused_with_examples(name: str) -> None:
    with pytest.raises(UnknownCrs, match="EPSG:4490"):
        source_crs(name)


def test_vertical_systems_are_refused() -> None:
    with pytest.raises(UnknownCrs, match="neither geographic nor projected"):
        source_crs("EPSG:5737")


@pytest.mark.parametrize(
    ("lon", "lat", "says"),
    [
        (float("nan"), 37, "finite"),
        (114, float("inf"), "finite"),
        (37.0682, 114.5043, "swapped"),
        (181, 37, "out of range"),
        (114, -90.5, "swapped|out of range"),
        (1e300, 0, "out of range"),
    ],
)
def test_what_is_no_place_is_refused(lon: float, lat: float, says: str) -> None:
    with pytest.raises(InvalidCoordinates, match=says):
        to_lonlat(lon, lat)


@pytest.mark.parametrize("crs", ["EPSG:4547", "GCJ-02", "BD-09", "EPSG:3857"])
def test_nonsense_in_other_systems_is_refused_too(crs: str) -> None:
    with pytest.raises(InvalidCoordinates):
        to_lonlat(float("nan"), 1.0, crs)
    with pytest.raises(InvalidCoordinates):
        to_lonlat(1e30, 1e30, crs)


def test_geometry_is_converted_whole() -> None:
    made = geometry_to_lonlat(np.array([shapely.box(114.5, 37, 114.6, 37.1)]), "GCJ-02")
    assert shapely.is_valid(made).all()
    assert not shapely.covers(made[0], shapely.Point(114.599, 37.099))
