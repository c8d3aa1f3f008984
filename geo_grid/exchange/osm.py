"""OpenStreetMap extracts: roads, and what the base map shows besides them, read in one pass and stored whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from geo_grid.db import Connection, copy_rows, ewkb, load_queries
from geo_grid.errors import UserError
from geo_grid.exchange.geometry import Extent
from geo_grid.files.door import read_extract
from geo_grid.files.kinds import EXTRACTS
from geo_grid.files.rows import GEOMETRY
from geo_grid.progress import Progress
from geo_grid.response import ServiceArea, build_graph, digest_of

QUERIES = load_queries("geo_grid.exchange", "osm.sql")
_MARGIN_DEGREES = 0.1
"""About 10 km around the city are kept: who drives to its border passes there."""
_SERVED_DEGREES = 0.2
"""Vehicles drive around the city's corners, outside it."""


@dataclass
class OsmReport:
    """What an extract brought.

    Attributes
    ----------
    roads, base_features
        Rows stored, which replace those of the extract before.
    data_from
        The moment the extract says it shows; None when it says none.
    left_out
        How many objects were left out, by reason.
    """

    roads: int = 0
    base_features: int = 0
    data_from: datetime | None = None
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OsmExtract:
    """An extract as read: what it says of itself (`extracts.read_extract`), and its rows."""

    about: dict[str, Any]
    table: pa.Table


def is_osm(path: Path) -> bool:
    """Say whether a file is an OpenStreetMap extract, by its name."""
    return path.name.lower().endswith(EXTRACTS)


def read_osm(path: Path, progress: Progress, extent: Extent | None) -> OsmExtract:
    """Read an extract of a city, as `import_osm` does, which says what the parameters are and what is raised."""
    with progress(f"reading {path.name}"):
        return OsmExtract(*read_extract(path, None if extent is None else _wider(extent, _MARGIN_DEGREES)))


def import_osm(
    connection: Connection,
    path: Path,
    progress: Progress,
    extent: Extent | None,
    dry_run: bool = False,
    roads_dir: Path | None = None,
    is_demo: bool = False,
    road_speeds: str = "",
    extract: OsmExtract | None = None,
) -> OsmReport:
    """Replace roads and base features by those of an extract, in the caller's transaction.

    Parameters
    ----------
    extent
        west, south, east, north of the city, degrees: what lies more than a margin outside is left out.
    dry_run
        Do everything, tell of it, and take it back.
    roads_dir
        Where the road graph for travel times is kept; None: none is built. It is in place before the transaction
        ends, and a server takes it up when the transaction is committed. It holds the roads of the city and
        `_SERVED_DEGREES` around it.
    road_speeds
        What vehicles on duty drive, as `ServiceArea.of` reads it.
    extract
        The same file as `read_osm` read it before; None: it is read now.

    Raises
    ------
    UnreadableFile
        It is missing, truncated, no extract, or takes more than it may.
    UserError
        Nothing in it lies in the city.
    """
    from pyarrow import compute  # not at the top: takes a fifth of a second, which a server has no need of

    report = OsmReport()
    area = ServiceArea.of(None if extent is None else _wider(extent, _SERVED_DEGREES), road_speeds)
    extract = extract or read_osm(path, progress, extent)
    about, table = extract.about, extract.table
    if about["data_from"]:
        report.data_from = datetime.fromisoformat(about["data_from"])
    report.left_out = about["left_out"]
    roads = table.filter(table["is_road"]).rename_columns({"feature_class": "road_class"})
    features = table.filter(compute.invert(table["is_road"]))
    if not len(roads):
        where = (
            ""
            if extent is None
            else " in or near the city, whose cells lie at {:.2f} {:.2f} to {:.2f} {:.2f}".format(*extent)
        )
        message = f"{path.name} has no roads{where}: take an extract of this city"
        raise UserError(message)
    report.roads, report.base_features = len(roads), len(features)
    with (
        progress("storing roads and base map", report.roads + report.base_features) as advance,
        connection.transaction(force_rollback=dry_run),
    ):
        connection.execute(QUERIES["clear_roads"])
        connection.execute(QUERIES["clear_base_features"])
        for name, rows, columns in (
            ("roads", roads, ["osm_id", "name", "road_class", "one_way", "speed_kmh"]),
            ("base_features", features, ["feature_kind", "feature_class", "name", "min_zoom", "osm_id"]),
        ):
            _store(connection, name, rows, columns, is_demo, advance)
        digest = digest_of(path)
        connection.execute(
            QUERIES["put_extract"],
            {
                "file_name": path.name,
                "sha256": digest,
                "is_demo": is_demo,
                "graph_key": area.key(digest) if roads_dir else None,
                **vars(report),
            },
        )
    if roads_dir is not None and not dry_run:
        with progress("building the road graph"):
            build_graph(path, roads_dir, digest, area)
    return report


def _wider(extent: Extent, degrees: float) -> Extent:
    west, south, east, north = extent
    return west - degrees, south - degrees, east + degrees, north + degrees


def _store(
    connection: Connection,
    name: str,
    rows: pa.Table,
    columns: list[str],
    is_demo: bool,
    advance: Callable[[int], None],
) -> None:
    values = [rows[column].to_pylist() for column in columns]
    shapes = ewkb(shapely.from_wkb(rows[GEOMETRY].to_pylist())) if len(rows) else []
    stored = ((*row[:-1], is_demo, row[-1]) for row in zip(*values, shapes, strict=True))
    copy_rows(connection, name, [*columns, "is_demo", "geom"], stored, advance)
