"""What cameras see: wedges by their optics, cut by real buildings as another program cuts them, and what the desk makes of it."""

import json
import math
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import shapely

from geo_grid.cameras.coverage import coverage_of, update_coverage
from geo_grid.cameras.sight import Optics, Usual, metres_per_degree, optics_of, seen, wedge
from geo_grid.cameras.views import update_views
from geo_grid.coordinates import snap
from geo_grid.db import connect
from geo_grid.exchange import import_osm
from geo_grid.progress import silent
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import square

USUAL = Usual(60.0, 50.0)
VADUZ = (9.5215, 47.1405)
"""Among the houses of a real town."""


def test_what_a_camera_sees_follows_from_its_optics() -> None:
    assert optics_of(3, None, 90.0, 40.0, 80.0, USUAL) == Optics(90.0, 40.0, 80.0)
    assert optics_of(3, 5, None, None, None, USUAL) == Optics(135.0, 60.0, 50.0)  # the usual
    assert optics_of(3, 5, 10.0, None, None, USUAL) == Optics(10.0, 60.0, 50.0)  # the azimuth goes before
    assert optics_of(1, 5, 10.0, 60.0, 30.0, USUAL) == Optics(None, 360.0, 30.0)  # a dome
    assert optics_of(None, None, None, 360.0, None, USUAL) == Optics(None, 360.0, 50.0)
    for nowhere in ((3, None, None), (None, None, None), (3, 9, None), (99, 0, None)):
        assert optics_of(*nowhere, None, None, USUAL) is None


@pytest.mark.parametrize(("azimuth", "corner"), [(0, (0, 50)), (90, (50, 0)), (180, (0, -50)), (315, (-35.36, 35.36))])
def test_a_wedge_points_where_the_camera_looks(azimuth: float, corner: tuple[float, float]) -> None:
    shape = wedge(Optics(azimuth, 60.0, 50.0))
    assert shape.area == pytest.approx(math.pi * 50**2 / 6, rel=0.002)
    assert shapely.distance(shape, shapely.Point(0, 0)) == 0
    assert shapely.distance(shape.exterior, shapely.Point(corner)) < 0.06
    assert not shapely.covers(shape, shapely.Point(-corner[0] / 2, -corner[1] / 2))
    assert wedge(Optics(None, 360.0, 50.0)).area == pytest.approx(math.pi * 50**2, rel=0.002)


def test_metres_are_those_of_the_ellipsoid() -> None:
    from pyproj import Geod

    for lat in (0.0, 37.05, 49.4, 80.0):
        east, north = metres_per_degree(lat)
        geod = Geod(ellps="GRS80")
        assert geod.inv(114.5, lat, 114.5 + 300 / east, lat)[2] == pytest.approx(300, abs=0.001)
        assert geod.inv(114.5, lat, 114.5, lat + 300 / north)[2] == pytest.approx(300, abs=0.05)


def in_degrees(shapes: list[shapely.Polygon]) -> np.ndarray:
    scale = np.array(metres_per_degree(37.0))
    return shapely.transform(np.array(shapes, dtype=object), lambda xy: xy / scale + (114.5, 37.0))


def in_metres(shape: shapely.Polygon) -> shapely.Polygon:
    return shapely.transform(shape, lambda xy: (xy - (114.5, 37.0)) * np.array(metres_per_degree(37.0)))


def test_a_building_hides_what_is_behind_it_and_shows_its_front() -> None:
    wall = shapely.box(-5, 20, 5, 24)
    shape, is_cut, area = seen(114.5, 37.0, Optics(0.0, 60.0, 80.0), in_degrees([wall]))
    plane = in_metres(shape)
    assert is_cut
    assert area == pytest.approx(plane.area, rel=1e-6)
    for point, is_seen in (
        ((0, 19.9), True),
        ((0, 20.1), False),
        ((0, 60), False),
        ((14, 60), False),
        ((16, 60), True),
    ):
        assert shapely.covers(plane, shapely.Point(point)) == is_seen, point
    whole, is_cut, _ = seen(114.5, 37.0, Optics(180.0, 60.0, 80.0), in_degrees([wall]))  # behind its back
    assert not is_cut
    assert in_metres(whole).area == pytest.approx(wedge(Optics(180.0, 60.0, 80.0)).area)


def test_the_building_that_a_camera_hangs_on_hides_nothing_but_indoors_it_is_all() -> None:
    own, other = shapely.box(-10, -10, 0.5, 10), shapely.box(20, -30, 22, 30)
    outdoors, _, area = seen(114.5, 37.0, Optics(None, 360.0, 50.0), in_degrees([own, other]))
    assert shapely.covers(in_metres(outdoors), shapely.Point(-40, 0))
    assert not shapely.covers(in_metres(outdoors), shapely.Point(30, 0))
    indoors, is_cut, inside = seen(114.5, 37.0, Optics(None, 360.0, 50.0), in_degrees([own, other]), is_indoors=True)
    assert is_cut
    assert inside < area
    assert in_metres(indoors).area == pytest.approx(own.area, rel=1e-6)


def by_cgal(whole: shapely.Polygon, buildings: np.ndarray) -> shapely.Polygon:
    """What is seen from the middle of a circle, by CGAL's visibility polygon of the free ground."""
    import pyvispoly  # which imports matplotlib

    free = shapely.difference(whole, shapely.union_all(buildings))
    around = next(part for part in shapely.get_parts(free) if shapely.dwithin(part, shapely.Point(0, 0), 1e-9))
    around = shapely.orient_polygons(around)

    def polygon(ring: shapely.LinearRing) -> pyvispoly.Polygon:
        return pyvispoly.Polygon([pyvispoly.Point(x, y) for x, y in shapely.get_coordinates(ring)[:-1]])

    ground = pyvispoly.PolygonWithHoles(polygon(around.exterior), [polygon(ring) for ring in around.interiors])
    found = pyvispoly.VisibilityPolygonCalculator(ground).compute_visibility_polygon(pyvispoly.Point(0, 0))
    return shapely.Polygon([(float(point.x()), float(point.y())) for point in found.boundary()])


def test_real_buildings_cut_as_cgal_cuts(client: httpx.Client, database: str, shared: Path) -> None:
    with connect(database) as connection:
        import_osm(connection, shared / "liechtenstein.osm.pbf", silent, None)
        found = connection.execute(
            "select ST_AsBinary(geom) as geom from base_features where feature_kind = 'building'"
            " and ST_DWithin(geom::geography, ST_SetSRID(ST_MakePoint(%s, %s), 4490)::geography, 400)", VADUZ,
        ).fetchall()  # fmt: skip
        footprints = shapely.from_wkb([bytes(row["geom"]) for row in found])
        assert len(footprints) > 100
        rng = np.random.default_rng(21)
        scale = np.array(metres_per_degree(VADUZ[1]))
        compared, stands = 0, []
        while compared < 30:
            place = np.array(VADUZ) + rng.uniform(-250, 250, 2) / scale
            plane = shapely.transform(footprints, lambda xy, at=place: (xy - at) * scale)
            if shapely.dwithin(plane, shapely.Point(0, 0), 1.5).any():
                continue  # in a house, or hung on it
            optics = Optics(float(rng.uniform(0, 360)), float(rng.choice([40, 90, 200])), float(rng.uniform(40, 120)))
            circle = wedge(Optics(None, 360.0, optics.range_m))
            expected = shapely.intersection(by_cgal(circle, plane[shapely.intersects(plane, circle)]), wedge(optics))
            ours, is_cut, area = seen(*place, optics, footprints)
            ours = shapely.transform(ours, lambda xy, at=place: (xy - at) * scale)
            # arcs have their corners elsewhere: up to a thousandth of the circle
            assert shapely.symmetric_difference(ours, expected).area < 0.001 * circle.area, (place, optics)
            assert is_cut == (area < wedge(optics).area * (1 - 1e-9))
            stands.append((place, optics))
            compared += 1
        for number, (place, optics) in enumerate(stands):
            connection.execute(
                "insert into cameras (gb28181_id, name, azimuth_deg, fov_deg, range_m, geom) values"
                " (%s, 'x', %s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                (
                    f"1305020000132{number:07d}",
                    optics.azimuth_deg,
                    optics.fov_deg,
                    optics.range_m,
                    *snap(place).tolist(),
                ),
            )
    deadline = time.monotonic() + 90
    while len(views := client.get("/cameras/views", params={"bbox": "9.51,47.13,9.53,47.15"}).json()["features"]) < len(
        stands
    ):
        assert time.monotonic() < deadline, "the server did not work the views out"
        time.sleep(0.5)
    assert sum(view["properties"]["is_cut"] for view in views) > 10
    place, optics = stands[0]
    ahead = (
        place
        + 20
        * np.array([math.sin(math.radians(optics.azimuth_deg)), math.cos(math.radians(optics.azimuth_deg))])
        / scale
    )
    shape = shapely.from_geojson(
        str(next(view["geometry"] for view in views if view["properties"]["gb28181_id"].endswith("0000000"))).replace(
            "'", '"'
        )
    )
    near = client.get("/desk", params={"lon": ahead[0], "lat": ahead[1]}).json()["nearest_cameras"]
    by_id = {one["code"]: one for one in near}
    assert by_id["13050200001320000000"]["sees"] == shapely.covers(shape, shapely.Point(ahead))
    assert [one["sees"] for one in near] == sorted((one["sees"] for one in near), reverse=True)


_CAMERA = (
    "insert into cameras (gb28181_id, name, ptz_type, azimuth_deg, direction_type, range_m, is_secret, sight_note, geom)"
    " values (%s, 'x', %s, %s, %s, %s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))"
)


@pytest.fixture
def square_city(small_city: str) -> str:
    """Cameras in cell A of four: a dome of 50 m, one that looks east 200 m, one of unknown sight, and a secret dome."""
    with connect(small_city) as connection:
        lon, lat = snap([114.5035, 37.0035]).tolist()
        for values in (
            ("13050200001320000001", 1, None, None, 50.0, False, "", lon, lat),
            ("13050200001320000002", 3, None, 1, 200.0, False, "门口看不见", *snap([lon - 0.0015, lat]).tolist()),
            ("13050200001320000003", 3, None, None, None, False, "", *snap([lon + 0.00001, lat]).tolist()),
            ("13050200001320000004", 1, None, None, 100.0, True, "", lon, lat),
        ):
            connection.execute(_CAMERA, values)
        connection.execute("update cameras set grid_code = 'A'")
    return small_city


def test_views_follow_the_register(square_city: str) -> None:
    with connect(square_city) as connection:
        done, is_more = update_views(connection, USUAL)
        assert (done.drawn, done.cleared, is_more) == (2, 0, False)  # not of a secret one, nor without an azimuth
        assert update_views(connection, USUAL)[0].drawn == 0
        connection.execute("update cameras set azimuth_deg = 10 where gb28181_id like '%%2'")
        connection.execute("update cameras set azimuth_deg = 10 where gb28181_id like '%%3'")
        connection.execute("update cameras set ptz_type = 3 where gb28181_id like '%%1'")
        done, is_more = update_views(connection, USUAL, most=1)
        assert (done.drawn, done.cleared, is_more) == (2, 1, False)
        found = connection.execute("select azimuth_deg, fov_deg, range_m from camera_views order by range_m").fetchall()
        assert [tuple(row.values()) for row in found] == [(10, 60, 50), (10, 60, 200)]
        connection.execute("update cameras set is_secret = true")
        assert connection.execute("select count(*) as n from camera_views").fetchone()["n"] == 0


def test_coverage_is_of_the_ground_once_and_twice(square_city: str) -> None:
    cell = square(0, 0)
    west, south, east, north = cell.bounds
    half, quarter = (
        shapely.box(west, south, (west + east) / 2, north),
        shapely.box(west, south, east, (south + north) / 2),
    )
    cell_m2, seen_m2, twice_m2, blind = coverage_of(cell, np.array([half, quarter]))
    assert seen_m2 / cell_m2 == pytest.approx(0.75)
    assert twice_m2 / cell_m2 == pytest.approx(0.25)
    assert blind.area / cell.area == pytest.approx(0.25)
    assert coverage_of(cell, np.array([]))[1:3] == (0, 0)
    assert coverage_of(cell, np.array([cell]))[3] is None
    # a view that reaches in, and comes back along the border: within the cell it is an area and a line
    third = (east - west) / 3
    inside = shapely.box(east - third, south + third, east + third, north)
    along = shapely.union(inside, shapely.box(east, south, east + third, north))
    assert coverage_of(cell, np.array([along, quarter]))[1:3] == pytest.approx(
        coverage_of(cell, np.array([inside, quarter]))[1:3]
    )
    with connect(square_city) as connection:
        update_views(connection, USUAL)
        assert update_coverage(connection) == 4
        rows = {row["grid_code"]: row for row in connection.execute("select * from camera_coverage").fetchall()}
        dome, east_of = math.pi * 50**2, math.pi * 200**2 / 6
        assert rows["A"]["seen_m2"] == pytest.approx(dome + east_of - rows["A"]["twice_m2"], rel=0.005)
        assert (rows["A"]["cameras"], rows["B"]["cameras"], rows["B"]["seen_m2"]) == (2, 0, 0)
        assert rows["A"]["cell_m2"] == pytest.approx(rows["B"]["cell_m2"], rel=1e-4)


def test_the_desk_names_those_that_see_the_place_first_and_blind_spots_are_drawn(square_city: str) -> None:
    told = json.loads(geo_grid(square_city, "cameras", "views", "--json").stdout)
    assert (told["drawn"], told["cut"], told["cells"]) == (2, 0, 4)
    with connect(square_city) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom) values"
            " ('seen', 'key_place', '看得见', ST_SetSRID(ST_MakePoint(114.50341796875, 37.00341796875), 4490)),"
            " ('blind', 'school', '看不见', ST_SetSRID(ST_MakePoint(114.5068359375, 37.0068359375), 4490))"
        )
    with live_server(square_city) as url, bearing(url, api_key(square_city, "dispatcher")) as client:
        lon, lat = snap([114.5035, 37.0035]).tolist()
        near = client.get("/desk", params={"lon": lon + 0.0006, "lat": lat}).json()[
            "nearest_cameras"
        ]  # 53 m to the east
        # the dome is nearer, and does not see so far; of the third nobody knows where it looks
        assert [(one["code"][-1], one["sees"]) for one in near] == [("2", True), ("3", None), ("1", False)]
        assert near[0]["sight_note"] == "门口看不见"
        near = client.get("/desk", params={"lon": lon, "lat": lat + 0.0003}).json()["nearest_cameras"]
        assert [(one["code"][-1], one["sees"]) for one in near] == [("1", True), ("2", True), ("3", None)]
        covered = client.get("/cameras/coverage").json()["cells"]
        assert [one["grid_code"] for one in covered] == ["B", "C", "D", "A"]
        assert covered[3]["share"] == pytest.approx(covered[3]["seen_m2"] / covered[3]["cell_m2"])
        (whole,) = client.get("/cameras/coverage?level=1").json()["cells"]
        assert whole["seen_m2"] == pytest.approx(covered[3]["seen_m2"])
        (blind,) = client.get("/cameras/coverage/A/blind-spots").json()["features"]
        shape = shapely.from_geojson(json.dumps(blind["geometry"]))
        assert shape.area / square(0, 0).area == pytest.approx(1 - covered[3]["share"], abs=1e-4)
        assert not shapely.covers(shape, shapely.Point(lon, lat))
        assert client.get("/cameras/coverage/P/blind-spots").status_code == 404
        places = client.get("/cameras/coverage/places").json()["places"]
        assert [(one["facility_code"], one["cameras"]) for one in places] == [("blind", 0), ("seen", 2)]
        assert (
            client.get("/cameras/views", params={"bbox": "114.5,37,114.51,37.01"}).json()["features"][0]["properties"][
                "is_cut"
            ]
            is False
        )
