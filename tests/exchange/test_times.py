"""Times and coordinates that a file has and nobody named: told, not taken for something else."""

from pathlib import Path

import pytest

from geo_grid.coordinates import to_lonlat
from geo_grid.db import connect
from geo_grid.errors import InvalidCoordinates, InvalidRows, UserError
from geo_grid.exchange import Mapping
from tests.exchange.test_importing import city, count, load

__all__ = ["city"]
CASES = Path(__file__).parents[2] / "../shared/cases"
COLUMNS = {"incident_number": "n", "category": "k"}


def test_a_date_that_nobody_mapped_is_named_and_not_taken_for_now(city: str) -> None:
    path = CASES / "no_date_mapped.csv"
    with pytest.raises(UserError, match=r"Date looks like times.*--column received_at=COLUMN.*--received-now"):
        load(city, "incidents", path, mapping=Mapping(COLUMNS))
    assert count(city, "incidents") == 0
    tried = load(city, "incidents", path, mapping=Mapping(COLUMNS), dry_run=True)
    assert any("would be refused" in note and "Date" in note for note in tried.notes)
    assert load(city, "incidents", path, mapping=Mapping(COLUMNS), received_now=True).imported == 1


@pytest.mark.parametrize(
    ("head", "value", "looks"),
    [
        ("when_it_was", "2016-01-29 11:00", True),  # by its values
        ("发生时间", "", True),  # by its name
        ("ReportedOn", "x", True),
        ("beat", "1234", False),
        ("case_id", "20160129", False),
        ("price", "12.50", False),
    ],
)
def test_columns_look_like_times_by_name_or_values(
    city: str, tmp_path: Path, head: str, value: str, looks: bool
) -> None:
    path = tmp_path / "incidents.csv"
    path.write_text(f"incident_number,category,lon,lat,{head}\nA,x,114.505,37.005,{value}\n", encoding="utf-8")
    if looks:
        with pytest.raises(UserError, match=head):
            load(city, "incidents", path)
    else:
        assert any("time of the import" in note for note in load(city, "incidents", path).notes)


def test_closures_do_not_begin_now_while_their_times_lie_unread(city: str, tmp_path: Path) -> None:
    path = tmp_path / "closures.geojson"
    line = '{"type":"LineString","coordinates":[[114.505,37.005],[114.507,37.005]]}'
    properties = '{"closure_code":"C1","name":"x","begin":"2026-12-01T08:00:00+08:00"}'
    feature = f'{{"type":"Feature","properties":{properties},"geometry":{line}}}'
    path.write_text(f'{{"type":"FeatureCollection","features":[{feature}]}}', encoding="utf-8")
    with pytest.raises(UserError, match="begin looks like times"):
        load(city, "road_closures", path)
    with connect(city) as connection:
        assert connection.execute("select 1 from road_closures").fetchone() is None


@pytest.mark.parametrize(
    ("crs", "x", "says"),
    [
        ("EPSG:4547", 38544823.5, "EPSG:4526"),
        ("EPSG:4548", 38544823.5, "EPSG:4526"),  # the zone that the number names, not the one asked for
        ("EPSG:4534", 25500000.0, "EPSG:4513"),
        ("EPSG:4554", 45500000.0, "EPSG:4533"),
        ("EPSG:4526", 544823.5, "EPSG:4547"),
        ("EPSG:4513", 500000.0, "EPSG:4534"),
        ("EPSG:4508", 20500000.0, "EPSG:4498"),  # of 6 degrees
        ("EPSG:4497", 500000.0, "EPSG:4508"),
    ],
)
def test_the_number_of_a_zone_before_an_easting_names_the_right_system(
    city: str, tmp_path: Path, crs: str, x: float, says: str
) -> None:
    with pytest.raises(InvalidCoordinates, match=says) as refused:
        to_lonlat(x, 4104000.1, crs)
    assert "inf" not in str(refused.value)
    path = tmp_path / "cameras.csv"
    path.write_text(f"gb28181_id,name,lon,lat\n13050201001325000001,x,{x},4104000.1\n")
    with pytest.raises(InvalidRows) as rows:
        load(city, "cameras", path, crs)
    assert says in rows.value.rows[0][1]
    assert "inf" not in rows.value.rows[0][1]
