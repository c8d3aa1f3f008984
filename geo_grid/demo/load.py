"""Loads the demo city in one transaction, by COPY, with every row marked."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.coordinates import snap
from geo_grid.db import Connection, copy_rows, load_queries
from geo_grid.demo import things
from geo_grid.demo.city import LEVELS, City, draw_city
from geo_grid.demo.earlier import set_aside
from geo_grid.demo.gazetteer import Gazetteer, read_gazetteer
from geo_grid.demo.roads import write_roads
from geo_grid.demo.rows import copy_frame
from geo_grid.errors import Conflict
from geo_grid.exchange import OsmExtract, import_osm, read_osm
from geo_grid.layers.emptiness import is_empty
from geo_grid.layers.grid_levels import set_levels
from geo_grid.locate import CityIndex
from geo_grid.progress import Progress
from geo_grid.response import (
    Batch,
    Router,
    Travel,
    build_graph,
    digest_of,
    draw_circles,
    find_graph,
    imported_graph,
    read_conditions,
    read_posts,
    store_circles,
)
from geo_grid.settings import Settings

QUERIES = load_queries("geo_grid.demo", "load.sql")


@dataclass
class Loaded:
    """What was loaded: rows by table, unassigned incidents, posts whose circles are estimates because no answer came in time,
    what the lists of names disagree on, and the compiled boundaries.
    """

    rows: dict[str, int]
    unassigned_incidents: int
    unanswered: list[str]
    disagreements: list[str]
    index: CityIndex


@dataclass
class Drawn:
    """The city before anything of it is stored, and the generator that what stands in it is drawn with."""

    gazetteer: Gazetteer
    city: City
    rng: np.random.Generator


def draw_demo(progress: Progress, seed: int = 130500) -> Drawn:
    """Draw the cells and zones of the demo city, without a database. The same seed gives the same city."""
    rng = np.random.default_rng(seed)
    with progress("names and codes"):
        gazetteer = read_gazetteer()
    with progress("drawing cells and zones"):
        return Drawn(gazetteer, draw_city(gazetteer, rng), rng)


def load_demo(
    connection: Connection,
    progress: Progress,
    until: datetime,
    incidents: int = 100_000,
    drawing: Callable[[], Drawn] | None = None,
    travel: Travel | None = None,
    roads_dir: Path | None = None,
    timeout_s: float = 5.0,
    compiled: Callable[..., object] = lambda *modules: None,
    earlier: Path | None = None,
) -> Loaded:
    """Load the full-size demo city in the caller's transaction.

    What it loads is still to be counted by PostgreSQL (`analyze`), which can be done beside other things.

    Parameters
    ----------
    until
        Moment the twelve months of incidents end; with a zone. The same `until` and the same drawn city give the
        same rows.
    drawing
        Returns the city that is to be loaded, by default that of `draw_demo`.
    travel
        How the police travel; as the settings have it when nothing is set, by default.
    roads_dir
        Where the road graph is kept; None: none is built, and circles are estimated.
    timeout_s
        Time-out in seconds of a question about roads, before its patience.
    compiled
        Waits until the loops of the modules it is given are compiled, by default of all; called before they are needed.
    earlier
        File that the incidents of all months but the last are set aside in, for `load_earlier`; None: all are loaded.

    Raises
    ------
    Conflict
        The database is not empty: demo rows are never mixed with real ones.
    """
    if not is_empty(connection):
        message = "the database is not empty, and demo data is never mixed with other data: use an empty database"
        raise Conflict(message)
    begins = until - timedelta(days=366)
    drawn = drawing() if drawing else draw_demo(progress)
    city, gazetteer, rng = drawn.city, drawn.gazetteer, drawn.rng
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="geo_grid_") as folder, ThreadPoolExecutor(2) as beside:
        path = Path(folder) / "geo_grid_demo.osm.pbf"
        # the database is at work on one row after the other: beside it roads, circles and the next table are drawn
        extract = beside.submit(_roads, city, path, roads_dir, progress)
        with progress("grid cells", len(city.cells)) as advance:
            set_levels(connection, LEVELS)
            cells = publish_cells(connection, city.cells, "demo city", begins, is_demo=True, progress=advance)
            counts["grid_cells"] = cells.rows
        with progress("patrol zones", len(city.zones)):
            edition = (cells.edition_id, begins)
            counts["patrol_zones"] = publish_zones(
                connection, city.zones, "demo city", is_demo=True, edition=edition
            ).rows
            counts["mandatory_stops"] = copy_frame(connection, "mandatory_stops", things.stops(city))

        counts["roads"] = import_osm(
            connection, path, progress, None, roads_dir=roads_dir, is_demo=True, extract=extract.result()
        ).roads
        posts, organisations = things.posts(city), things.mediation_organisations(city)
        with progress("police posts", len(posts)):
            counts["police_posts"] = copy_frame(connection, "police_posts", posts.drop(columns="zone_code"))
        circles = beside.submit(
            _circles(connection, progress, travel or Travel.of(Settings()), roads_dir, timeout_s, compiled)
        )

        compiled("geo_grid.locate.kernels")
        with progress("compiling boundaries"):
            index = CityIndex.compile(connection, cells.edition_id)
        frames: list[tuple[str, Callable[[], DataFrame]]] = [
            ("duties", lambda: things.duties(city, rng).assign(valid_from=begins)),
            ("patrol_units", lambda: things.units(posts, rng).assign(reported_at=until)),
            ("cameras", lambda: _owned(things.cameras(city, rng), index)),
            ("facilities", lambda: things.facilities(city, gazetteer, organisations, rng)),
            (
                "incidents",
                lambda: set_aside(_owned(things.incidents(city, incidents, until, rng), index), until, earlier),
            ),
        ]
        # one after the other: they draw lots from the same generator
        made = beside.submit(frames[0][1])
        for (table, _), following in zip_longest(frames, frames[1:]):
            with progress(table.replace("_", " "), None):
                frame = made.result()
                if following is not None:
                    made = beside.submit(following[1])
                states = frame.pop("state") if table == "cameras" else None
                counts[table] = copy_frame(connection, table, frame)
                if states is not None:
                    _camera_states(connection, frame["gb28181_id"], states, until - timedelta(days=2))
        with progress("mediation"):
            counts["mediation_organisations"], counts["mediators"] = _mediation(connection, organisations, begins)
        with progress("work in the field"):
            connection.execute(QUERIES["check_in_minutes"])
            for table in ("run_cards", "volunteer_teams", "visits"):
                counts[table] = connection.execute(QUERIES[table], {"until": until}).rowcount
        with progress("checking cells and zones"):  # beside the circles, rather than at the end of the transaction
            connection.execute(QUERIES["analyze_division"])
            connection.execute("set constraints all immediate")
            connection.execute("set constraints all deferred")
        built = store_circles(connection, circles.result())
        counts["response_circles"] = sum(built.made.values())
    connection.execute(QUERIES["analyze_circles"])  # which the end of the transaction checks
    row = connection.execute(QUERIES["unassigned"]).fetchone()
    return Loaded(counts, row["count"] if row else 0, built.unanswered, gazetteer.disagreements, index)


def _owned(frame: DataFrame, index: CityIndex) -> DataFrame:
    """Return a frame of points (lon, lat in degrees) with the cell and zone that own each, as `assign` would find them."""
    lon, lat = snap(frame[["lon", "lat"]]).T
    owners = {"grid_code": index.cells, "zone_code": index.zones}
    codes = {name: np.array([*one.codes.tolist(), None])[one.owners(lon, lat)] for name, one in owners.items()}
    return frame.assign(**codes, edition_id=index.edition)


def _camera_states(connection: Connection, ids: "pd.Series[str]", states: "pd.Series[str]", since: datetime) -> None:
    connection.execute(QUERIES["stage_states"])
    copy_rows(connection, "given_states", ["gb28181_id", "state"], zip(ids, states, strict=True))
    connection.execute(QUERIES["states"], {"since": since})


def _mediation(connection: Connection, organisations: DataFrame, begins: datetime) -> tuple[int, int]:
    """Say which facilities are mediation organisations, and who works in them; return the numbers of both."""
    connection.execute(QUERIES["stage_mediation"])
    only = ["facility_code", "mediation_kind", "grid_code", "centre_code", "room_code", "studio_of"]
    for table, frame in (
        ("given_organisations", organisations[only]),
        ("given_mediators", things.mediators(organisations).assign(valid_from=begins)),
    ):
        rows = frame.astype(object).where(pd.notna(frame), None).itertuples(index=False, name=None)
        copy_rows(connection, table, list(frame.columns), rows)
    made = (connection.execute(QUERIES[name]).rowcount for name in ("mediation_organisations", "mediators"))
    return next(made), next(made)


def _circles(
    connection: Connection,
    progress: Progress,
    travel: Travel,
    roads_dir: Path | None,
    timeout_s: float,
    compiled: Callable[..., object],
) -> Callable[[], list[Batch]]:
    """Read what circles are drawn from; return a function that draws them without the database, in a thread."""
    graph = find_graph(roads_dir, imported_graph(connection)) if roads_dir else None
    conditions, posts = read_conditions(connection, travel, graph), read_posts(connection)

    def draw() -> list[Batch]:
        compiled()
        with (
            Router.opened(graph, travel.estimate, timeout_s=timeout_s) as router,
            progress("response circles", len(posts)) as advance,
        ):
            return list(draw_circles(posts, router, conditions, advance))

    return draw


def _roads(city: City, path: Path, roads_dir: Path | None, progress: Progress) -> OsmExtract:
    """Write the city's roads as an OpenStreetMap extract, build its graph, and read it as any other."""
    with progress("drawing roads"):
        write_roads(city.leaves, path)
        if roads_dir is not None:
            build_graph(path, roads_dir, digest_of(path))  # import_osm finds it
    return read_osm(path, progress, None)
