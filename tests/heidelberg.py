"""The roads of Heidelberg for tests: two posts and four units on both banks of the Neckar, and circles on real roads."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import shapely

from tests.databases import state_folder
from tests.response.roads import graph_of

EXTRACT = "heidelberg.osm.pbf"
NORTH, SOUTH = (8.6920, 49.4165), (8.6930, 49.4095)
"""Neuenheim and the old town of Heidelberg, with the Neckar between them."""
THINGS = """
insert into police_posts (post_code, name, geom) values
    ('N', '北岸警务站', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6920, 49.4165), 4490), 2 ^ -26)),
    ('S', '南岸警务站', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6700, 49.4050), 4490), 2 ^ -26));
insert into patrol_units (unit_code, name, unit_kind, unit_status, skills, shift, reported_at, geom) values
    ('CAR', '巡逻车', 'car', 'on_patrol', 'first_aid', '', now(), ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6920, 49.4166), 4490), 2 ^ -26)),
    ('BUSY', '出警车', 'car', 'dispatched', '', '', now(), ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6929, 49.4094), 4490), 2 ^ -26)),
    ('NIGHT', '夜班车', 'car', 'on_patrol', '', '00:00-00:01', now(), ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6931, 49.4094), 4490), 2 ^ -26)),
    ('FOOT', '步巡组', 'foot', 'on_patrol', '', '', now(), ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6900, 49.4097), 4490), 2 ^ -26));
"""


@contextmanager
def with_roads(shared: Path) -> Iterator[Path]:
    """A state folder with the road graph of Heidelberg: an import would build the same again."""
    kept = graph_of(shared / EXTRACT)
    with state_folder() as folder:
        shutil.copytree(kept, folder / "roads" / kept.name)
        yield folder


def circles(client: httpx.Client) -> dict[tuple[str, int], tuple[shapely.Geometry, dict]]:
    answer = client.get("/collections/response_circles/items", params={"limit": 100}).json()
    return {
        (one["properties"]["post_code"], one["properties"]["tier_minutes"]): (
            shapely.geometry.shape(one["geometry"]),
            one["properties"],
        )
        for one in answer["features"]
    }


def wait_for_circles(client: httpx.Client, other_than: shapely.Geometry | None = None) -> shapely.Geometry:
    deadline = time.monotonic() + 90
    while True:
        found = circles(client).get(("N", 5))
        if found and found[1]["method"] == "valhalla" and (other_than is None or not found[0].equals(other_than)):
            return found[0]
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
