"""A small city that is marked as the demo: four cells, roads between their middles, a post, units, cameras, past calls."""

import shapely

from geo_grid.boundaries import publish_cells
from geo_grid.db import connect
from tests.squares import cells, local_levels, square, whole

MIDDLES = [shapely.centroid(square(x, y)) for x in (0, 1) for y in (0, 1)]
_POINT = "ST_SetSRID(ST_MakePoint(%s, %s), 4490)"


def make_small_demo(database: str) -> None:
    with connect(database) as connection:
        local_levels(connection)
        publish_cells(
            connection,
            cells(
                ("P", 1, None, whole(2, 2)),
                ("A", 2, "P", square(0, 0)),
                ("B", 2, "P", square(1, 0)),
                ("C", 2, "P", square(0, 1)),
                ("D", 2, "P", square(1, 1)),
            ),
            "two by two",
            is_demo=True,
        )
        for one, other in ((0, 1), (1, 3), (3, 2), (2, 0)):
            line = shapely.LineString([MIDDLES[one], MIDDLES[other]]).wkt
            connection.execute(
                "insert into roads (road_class, geom, is_demo) values ('residential', ST_GeomFromText(%s, 4490), true)",
                (line,),
            )
        for number, place in enumerate(MIDDLES):
            here = (place.x, place.y)
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, unit_status, is_demo, geom, reported_at)"
                f" values (%s, %s, 'car', %s, true, {_POINT}, now() - interval '3 hours')",
                (f"U{number}", f"巡逻车{number}", "dispatched" if number == 3 else "on_patrol", *here),
            )
            connection.execute(
                "insert into incidents (incident_number, category, subtype, step, received_at, closed_at, is_demo, grid_code, geom)"
                f" values (%s, 'traffic', '轻微事故', 'verified', now() - interval '2 days', now() - interval '1 day', true, %s, {_POINT})",
                (f"DEMO{number}", "ABCD"[number], *here),
            )
            connection.execute(
                f"insert into cameras (gb28181_id, name, is_demo, geom) values (%s, %s, true, {_POINT})",
                (f"1305020100131500000{number}", f"监控{number}", *here),
            )
