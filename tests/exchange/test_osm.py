"""OpenStreetMap extracts, real ones: what is kept, what replaces what, what is refused."""

from pathlib import Path

import pytest
import shapely

from geo_grid.db import connect
from geo_grid.doctor import Finding, examine
from geo_grid.errors import UnreadableFile, UserError
from geo_grid.exchange import import_osm
from geo_grid.progress import silent
from geo_grid.settings import Settings

DATA = Path(__file__).parents[2] / "../shared/data"
LIECHTENSTEIN, SHANGHAI = DATA / "liechtenstein.osm.pbf", DATA / "shanghai_centre.osm"


def test_an_extract_is_kept_and_the_next_takes_its_place(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "insert into roads (name, road_class, geom) values"
            " ('own', 'service', ST_GeomFromText('LINESTRING(9.5 47.125, 9.5 47.25)', 4490))"
        )
        report = import_osm(connection, LIECHTENSTEIN, silent, None)
        assert report.roads > 4_000
        assert str(report.data_from) == "2015-07-27 21:14:01+00:00"
        kinds = connection.execute("select feature_kind, count(*) as n from base_features group by 1").fetchall()
        assert {row["feature_kind"] for row in kinds} >= {"water", "waterway", "green", "building", "railway", "place"}
        street = connection.execute("select * from roads where osm_id = 4781368").fetchone()
        assert street is not None
        assert (street["name"], street["road_class"], street["one_way"]) == ("Dorfstrasse", "tertiary", False)
        town = connection.execute("select * from base_features where name = '瓦杜茲' or name = '瓦杜兹'").fetchone()
        assert town is not None
        assert town["feature_class"] in ("town", "village")
        tried = import_osm(connection, SHANGHAI, silent, None, dry_run=True)
        stored = connection.execute("select count(*) as n from roads").fetchone()
        assert stored == {"n": report.roads + 1}
        second = import_osm(connection, SHANGHAI, silent, None)
        assert second.roads == tried.roads > 700
        stored = connection.execute(
            "select count(*) as n, count(*) filter (where name = 'own') as own from roads"
        ).fetchone()
        extract = connection.execute("select * from osm_extract").fetchone()
    assert stored == {"n": second.roads + 1, "own": 1}  # the city's own road stays
    assert extract is not None
    assert (extract["file_name"], extract["road_count"]) == ("shanghai_centre.osm", second.roads)


def test_ways_that_go_against_their_line_are_turned(database: str, tmp_path: Path) -> None:
    text = (
        '<osm version="0.6"><node id="1" lon="114.5" lat="37"/><node id="2" lon="114.625" lat="37"/>'
        '<way id="7"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/><tag k="oneway" v="-1"/>'
        '<tag k="maxspeed" v="30 mph"/><tag k="name" v="中兴大街"/></way>'
        '<way id="8"><nd ref="1"/><nd ref="9"/><tag k="highway" v="primary"/></way></osm>'
    )
    (tmp_path / "small.osm").write_text(text, encoding="utf-8")
    with connect(database) as connection:
        report = import_osm(connection, tmp_path / "small.osm", silent, None)
        road = connection.execute("select *, ST_AsText(geom) as line from roads").fetchone()
    assert report.left_out == {"incomplete in the extract": 1}
    assert road is not None
    assert road["line"] == "LINESTRING(114.625 37,114.5 37)"
    assert road["one_way"]
    assert road["speed_kmh"] == pytest.approx(48.28, abs=0.01)
    assert road["name"] == "中兴大街"


def test_an_extract_of_another_city_or_a_broken_one_changes_nothing(database: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(LIECHTENSTEIN.read_bytes()[:700_000])
    page = tmp_path / "page.osm"
    page.write_text("<html>404</html>")
    laughs = tmp_path / "laughs.osm"
    entities = "".join(
        f'<!ENTITY l{n} "{"&l" + str(n - 1) + ";" if n else "ha"}{"&l" + str(n - 1) + ";" if n else ""}">'
        for n in range(40)
    )
    laughs.write_text(
        f'<!DOCTYPE osm [{entities}]><osm version="0.6"><node id="1" lon="1" lat="1"><tag k="name" v="&l39;"/></node></osm>'
    )
    with connect(database) as connection:
        import_osm(connection, SHANGHAI, silent, None)
        before = connection.execute("select count(*) as n from roads").fetchone()
        for path in (broken, page, laughs, tmp_path / "missing.osm.pbf"):
            with pytest.raises(UnreadableFile):
                import_osm(connection, path, silent, None)
        xingtai = shapely.bounds(shapely.box(113.75, 36.75, 115.85, 37.81))
        with pytest.raises(UserError, match="extract of this city"):
            import_osm(connection, LIECHTENSTEIN, silent, tuple(xingtai))
        assert connection.execute("select count(*) as n from roads").fetchone() == before


def test_the_doctor_says_whether_the_road_graph_is_there(database: str, tmp_path: Path) -> None:
    def road_graph(folder: Path) -> Finding:
        settings = Settings(database_url=database, state_dir=folder)
        return next(finding for finding in examine(database, settings) if finding.what == "road graph")

    assert (road_graph(tmp_path).ok, "none: travel times are estimated" in road_graph(tmp_path).found) == (True, True)
    with connect(database) as connection:
        import_osm(connection, LIECHTENSTEIN, silent, None, roads_dir=tmp_path / "roads")
    assert "liechtenstein.osm.pbf" in road_graph(tmp_path).found
    lost = road_graph(tmp_path / "elsewhere")
    assert (lost.ok, "import the roads again" in lost.found) == (False, True)
