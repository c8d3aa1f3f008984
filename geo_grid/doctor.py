"""Examines an installation: programs, database, invariants of the data in force."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import shapely

from geo_grid.boundaries.check import coverage_problems
from geo_grid.boundaries.division import Cell, Division
from geo_grid.boundaries.norms import HOUSEHOLDS, all_outside
from geo_grid.cameras.links import examine_platforms
from geo_grid.clocks import clock_trouble
from geo_grid.db import (
    AGAIN,
    Connection,
    application_conninfo,
    connect,
    differences,
    examine_replicas,
    load_queries,
    read_migrations,
    replica_conninfo,
    storage,
)
from geo_grid.due import examine_due
from geo_grid.errors import ProgramMissing
from geo_grid.feeds.program import find_program
from geo_grid.files.door import WALLS, standing_walls
from geo_grid.hooks import examine_hooks
from geo_grid.own_work import KINDS
from geo_grid.response.graph import find_graph, imported_graph, read_manifest
from geo_grid.settings import Settings, asset_dir
from geo_grid.state_folder import storage_trouble
from geo_grid.workflow.working_time import examine_calendar

QUERIES = load_queries("geo_grid", "doctor.sql")
CATEGORIES = load_queries("geo_grid.layers", "incident_categories.sql")
_NAMED = 8


@dataclass(frozen=True)
class Finding:
    """The result of one check; `is_warning`: all is well now, and will not be unless somebody does something."""

    what: str
    ok: bool
    found: str
    is_warning: bool = False

    @property
    def sign(self) -> str:
        """Two letters, or four, for a list."""
        return "!!" if not self.ok else "warn" if self.is_warning else "ok"


def examine(conninfo: str, settings: Settings) -> list[Finding]:
    """Run all checks and return their results; changes nothing. Blocks for some seconds."""
    web = asset_dir("static") / "vendor/leaflet/leaflet.js"
    findings = [Finding("web libraries", web.is_file(), "present" if web.is_file() else "missing: run make up")]
    findings += [_walls(), _pictures()]
    for name, folder in storage(settings).items():
        trouble = storage_trouble(folder, settings.least_free_mb)
        findings.append(Finding(f"room in {name}", not trouble, f"{folder}: {trouble or 'enough'}"))
    with connect(conninfo) as connection:
        versions = connection.execute(QUERIES["versions"]).fetchone() or {}
        findings.append(Finding("PostgreSQL", versions["server"] >= 150000, str(versions["server_text"])))
        findings.append(Finding("durable commits", versions["durable"], "on" if versions["durable"] else
                                "fsync or synchronous_commit is off: accepted incidents can be lost"))  # fmt: skip
        if not versions["migrated"]:
            return [*findings, Finding("migrations", False, "none applied: run geo-grid migrate")]
        at = connection.execute(QUERIES["migration"]).fetchone() or {}
        needed = len(read_migrations())
        findings.append(Finding("migrations", at["number"] == needed, f"{at['number']} of {needed}"))
        if at["number"] == needed:
            clock = connection.execute(QUERIES["clock"]).fetchone() or {}
            trouble = clock_trouble(clock["now"], clock["newest"])
            findings.append(Finding("clocks", not trouble, trouble or "agree"))
            findings.append(_as_text(connection))
            findings.append(_indexes(connection))
            findings.append(_archive(connection))
            if settings.replica_url is not None:
                replica = replica_conninfo(settings.replica_url, application_conninfo(settings, conninfo))
                findings.append(Finding("replicas", *examine_replicas(connection, replica)))
            findings.append(Finding("work that is due", *examine_due(connection, KINDS)))
            findings.append(_working_days(connection))
            findings.append(Finding("web hooks", *examine_hooks(connection)))
            sip_id = settings.sip_id if settings.sip_port else None
            findings.append(Finding("lower platforms", *examine_platforms(connection, sip_id)))
        findings.append(_road_graph(connection, settings.roads_dir))
        findings += _data(connection)
    return findings


def _working_days(connection: Connection) -> Finding:
    is_announced, found = examine_calendar(connection)
    return Finding("working days", ok=True, found=found, is_warning=not is_announced)


def _as_text(connection: Connection) -> Finding:
    told = differences(connection)
    more = f" and {len(told) - _NAMED:,} more" if len(told) > _NAMED else ""
    found = (
        f"{'; '.join(told[:_NAMED])}{more}: {AGAIN} makes them as geo_grid has them" if told else "as geo_grid has them"
    )
    return Finding("functions and policies", not told, found)


def _indexes(connection: Connection) -> Finding:
    row = connection.execute(QUERIES["leakproof"]).fetchone() or {}
    found = (
        "serve questions of townships"
        if row["holds"]
        else "do not serve questions of townships, which take three times as long: a superuser says in this database, alter function"
        " geometry_overlaps(geometry, geometry) leakproof (geo-grid up does, where its owner is one)"
    )
    return Finding("spatial indexes", row["holds"], found)


def _archive(connection: Connection) -> Finding:
    row = connection.execute(QUERIES["archive"]).fetchone() or {}
    if not row["is_archived"]:
        return Finding("log of changes", True, "copied nowhere: GEO_GRID_WAL_ARCHIVE names a folder on another disk")
    if row["fails"]:
        why = f"not copied since {row['failed_at']:%Y-%m-%d %H:%M:%S}: is the archive full, or closed? (postgres.log says why)"
        return Finding("log of changes", False, why)
    return Finding("log of changes", True, "is copied into the archive")


def _walls() -> Finding:
    standing = standing_walls()
    missing = [wall for wall in WALLS if wall not in standing]
    is_closed = "files" in standing and not {"network", "calls"}.isdisjoint(standing)
    found = f"{', '.join(standing)} hold around what reads files from strangers"
    if missing:
        found += f"; this kernel or container does not let {', '.join(missing)} stand"
    return Finding("walls", is_closed, found)


def _pictures() -> Finding:
    try:
        return Finding("live pictures", True, f"{find_program()} makes them")
    except ProgramMissing as missing:
        return Finding("live pictures", False, str(missing))


def _road_graph(connection: Connection, roads_dir: Path) -> Finding:
    imported = imported_graph(connection)
    graph = find_graph(roads_dir, imported)
    if graph is not None:
        manifest = read_manifest(graph)
        return Finding("road graph", True, f"of {manifest.extract}, built {manifest.built_at[:10]}")
    if imported is None:
        return Finding("road graph", True, "none: travel times are estimated; geo-grid import roads FILE.osm.pbf")
    found = f"that of the imported roads is not in {roads_dir}, and travel times are estimated: import the roads again"
    return Finding("road graph", False, found)


def _data(connection: Connection) -> list[Finding]:
    counts = connection.execute(QUERIES["counts"]).fetchone() or {}
    findings = [Finding("rows", True, ", ".join(f"{value:,} {name}" for name, value in counts.items()))]
    for row in connection.execute(QUERIES["levels"]).fetchall():
        codes = row["codes"]
        problems = coverage_problems(codes, shapely.from_wkb([bytes(wkb) for wkb in row["geoms"]]))
        text = (
            f"{len(codes):,} cells, a valid coverage"
            if not problems
            else f"{len(problems)} cells do not fit: "
            + "; ".join(f"{code} {why}" for code, why in list(problems.items())[:3])
        )
        findings.append(Finding(f"level {row['grid_level']}", not problems, text))
    for name in ("orphans", "stale_assignments", "leaderless", "idle_mediation"):
        row = connection.execute(QUERIES[name]).fetchone() or {}
        findings.append(
            Finding(row["what"], row["count"] == 0, f"{row['count']:,}{row['advice'] if row['count'] else ''}")
        )
    return [*findings, _households(connection), _categories(connection)]


def _categories(connection: Connection) -> Finding:
    unlisted = connection.execute(CATEGORIES["unlisted"]).fetchall()
    told = ", ".join(f"{row['category']} ({row['count']:,})" for row in unlisted[:_NAMED])
    more = f" and {len(unlisted) - _NAMED:,} more" if len(unlisted) > _NAMED else ""
    found = f"{told}{more}: kept as they came; list them in incident_categories" if unlisted else "all have a code"
    return Finding("categories of incidents", True, found)


def _households(connection: Connection) -> Finding:
    division = Division(Cell(**row) for row in connection.execute(QUERIES["households"]).fetchall())
    sides = Counter(side for _, _, side in all_outside(division, division.cells.values()))
    least, most = HOUSEHOLDS
    found = f"{sides['above']:,} above {most}, {sides['below']:,} below {least}: worth a look, not an error"
    return Finding("households of basic cells", True, found)
