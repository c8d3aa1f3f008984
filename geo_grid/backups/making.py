"""Makes a backup, of one moment, while the city is served."""

import subprocess
import zipfile
from pathlib import Path
from typing import IO

from psycopg import sql

from geo_grid import __version__
from geo_grid.access import audit
from geo_grid.backups import programs
from geo_grid.backups.package import BLOCK, DUMP, FORM, MANIFEST, ROADS, Digested, Manifest, written
from geo_grid.db import Connection, connect, load_queries
from geo_grid.errors import Conflict
from geo_grid.progress import Progress
from geo_grid.response import find_graph, imported_graph

QUERIES = load_queries("geo_grid.backups", "backups.sql")
LEFT_OUT = ("access.login_failures", "access.oidc_logins", "platform_dialogs", "cameras_in_motion")
"""Tables whose rows are of no use later."""


def make_backup(
    conninfo: str,
    roads_dir: Path,
    path: Path,
    progress: Progress,
    recipients: list[str] | None = None,
    with_roads: bool = True,
) -> Manifest:
    """Write the whole city into a new file; blocks for a minute or more. Nobody who works on it waits.

    The file holds whatever the database does: hashes of passwords, the telephones of duties, callers' numbers. It is
    readable by its owner alone, and `recipients` encrypts it.

    Parameters
    ----------
    conninfo
        libpq connection string of the database's owner.
    roads_dir
        Where the road graph is kept.
    recipients
        Public keys of age (`age1…`) whose holders can decrypt it; none: it is not encrypted.
    with_roads
        Whether the road graph goes into it, which else is built again by importing the roads.

    Raises
    ------
    Conflict
        The database is not one of this version: migrate it first.
    UnwritableFile
        The file exists already, or cannot be written.
    UserError, SetupError
        A recipient is none; a program is missing.
    """
    with connect(conninfo) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        found = connection.execute(QUERIES["is_migrated"]).fetchone()
        if found is None or not found["is_migrated"]:
            message = "there is no city in this database yet"
            raise Conflict(message)
        facts = connection.execute(QUERIES["snapshot"]).fetchone() or {}
        graph_key = imported_graph(connection)
        graph = find_graph(roads_dir, graph_key) if with_roads else None
        with written(path, recipients or []) as file, zipfile.ZipFile(file, "w") as package:
            with progress("database"):
                digest = _dump(conninfo, connection.info.server_version // 10_000, facts.pop("snapshot"), package)
            with progress("counting rows"):
                rows = count_rows(connection)
            if graph is not None:
                with progress("roads"):
                    _add(graph, package)
            last = connection.execute(audit.QUERIES["ends"]).fetchone() or {}
            manifest = Manifest(
                form=FORM, made_by=__version__, rows=rows, audit_id=last.get("last_id"), audit_hash=last.get("last_hash"),
                graph_key=graph_key, has_graph=graph is not None, dump_sha256=digest, **facts,
            )  # fmt: skip
            package.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    return manifest


def _dump(conninfo: str, version: int, snapshot: str, package: zipfile.ZipFile) -> str:
    """Write the dump as of a snapshot; return its digest."""
    process = programs.begin(
        "pg_dump", version, conninfo, "--format=custom", "--compress=6", f"--snapshot={snapshot}",
        *(f"--exclude-table-data={table}" for table in LEFT_OUT), output=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            if process.stdout is None:
                raise AssertionError
            dump = Digested(process.stdout)
            with package.open(zipfile.ZipInfo(DUMP), "w", force_zip64=True) as part:
                dump.into(part)
            complaints = process.stderr.read() if process.stderr is not None else b""
            programs.refuse_failed(process.wait(), complaints, "pg_dump")
        except BaseException:
            process.kill()
            raise
    return dump.hexdigest()


def _add(graph: Path, package: zipfile.ZipFile) -> None:
    for file in sorted(graph.rglob("*")):
        if file.is_file():
            about = zipfile.ZipInfo(f"{ROADS}{graph.name}/{file.relative_to(graph).as_posix()}")
            about.compress_type = zipfile.ZIP_DEFLATED
            with file.open("rb") as opened, package.open(about, "w", force_zip64=True) as part:
                _copy(opened, part)


def _copy(source: IO[bytes], sink: IO[bytes]) -> None:
    for block in iter(lambda: source.read(BLOCK), b""):
        sink.write(block)


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the rows of each table, by its name with its schema."""
    counts = {}
    for table in connection.execute(QUERIES["tables"]).fetchall():
        name = f"{table['schema_name']}.{table['table_name']}"
        if name in LEFT_OUT:
            continue
        statement = sql.SQL("select count(*) as count from only {}").format(sql.Identifier(*table.values()))
        row = connection.execute(statement).fetchone()
        counts[name] = row["count"] if row else 0
    return counts
