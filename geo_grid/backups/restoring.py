"""Brings a backup back: into a database beside the one in use, which it replaces when everything in it was found again."""

import asyncio
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from geo_grid.access import audit
from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.backups.filling import OURS, drop, fill
from geo_grid.backups.making import QUERIES, count_rows
from geo_grid.backups.package import BLOCK, DUMP, ROADS, Digested, Manifest, opened
from geo_grid.db import APPLICATION_ROLE, SERVICE_ROLE, connect, migrate, read_migrations
from geo_grid.errors import Conflict, SetupError, UnreadableFile, UserError
from geo_grid.progress import Progress
from geo_grid.response.graph import graph_folder

_BESIDE, _BEFORE = "_restoring", "_before_restore"
"""Ends of the names of the database that is filled, and of the one that it replaced."""
_ROLES = {
    APPLICATION_ROLE: "create role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls",
    SERVICE_ROLE: "create role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls in role geo_grid_app",
}


def restore_backup(
    conninfo: str,
    state_dir: Path,
    roads_dir: Path,
    path: Path,
    progress: Progress,
    identity: Path | None = None,
    replaces: bool = False,
    only_checks: bool = False,
) -> Manifest:
    """Restore a city; blocks for a minute or more. Nobody may be connected: stop the server first.

    Its rows are restored into a database of its own, whose tables are ours (`filling`), compared with what the backup says
    of itself: rows of every table, and the chain of the audit, and brought up to date. Only then it takes the place of the
    database; a failure leaves that as it was. Sessions end; keys and kiosks go on.

    Parameters
    ----------
    conninfo
        libpq connection string of the database's owner, who may create databases.
    state_dir
        Where it is unpacked, and decrypted, meanwhile: nobody else may look in there.
    identity
        File with the key of age that decrypts it.
    replaces
        Whether it may replace a city that is there: only the same one. The database before is kept under another name
        until the next restore.
    only_checks
        Do everything but that, and delete what was restored.

    Raises
    ------
    UnreadableFile
        The file is missing, truncated, or no backup.
    UserError
        It is of a later geo_grid, or encrypted for somebody else.
    Conflict
        There is a city already, or another one than that of the backup.
    SetupError
        A program is missing, or what was restored is not what was backed up.
    """
    with _scratch(state_dir) as scratch, opened(path, identity, scratch) as (package, manifest):
        known = read_migrations()[-1].number
        if manifest.migration > known:
            message = f"{path} is at migration {manifest.migration}, and this geo_grid knows only {known}: install the newer one"
            raise UserError(message)
        if not only_checks:
            _refuse_another(conninfo, manifest, replaces)
        graph = _graph_folder(package, manifest)
        with progress("reading the backup"):
            dump = _unpacked(path, package, manifest, scratch)
        name = str(conninfo_to_dict(conninfo)["dbname"])
        beside = name + _BESIDE
        with _maintained(conninfo) as maintenance:
            _make_roles(maintenance)
            try:
                restored = make_conninfo(conninfo, dbname=beside)
                with progress("database"):
                    fill(maintenance, restored, dump, manifest.migration)
                    with psycopg.connect(restored, autocommit=True) as connection:
                        connection.execute(QUERIES["end_sessions"])
                        connection.execute("analyze")
                with progress("comparing with the backup"):
                    _compare(restored, manifest)
                with progress("bringing it up to date"):
                    migrate(restored, again=True)
                    with psycopg.connect(restored, autocommit=True) as connection:
                        connection.execute(ACCOUNTS["settle"])
                if only_checks:
                    return manifest
                _take_graph(package, graph, roads_dir)
                _swap(maintenance, name, beside)
            finally:
                drop(maintenance, beside)
    return manifest


@contextmanager
def _scratch(state_dir: Path) -> Iterator[Path]:
    """Make an empty folder, among what each start of a server deletes; what a restore that was killed left in it goes now."""
    folder = state_dir / "tmp" / "restoring"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _maintained(conninfo: str) -> Iterator[psycopg.Connection[dict[str, object]]]:
    other = make_conninfo(conninfo, dbname="postgres")
    with psycopg.connect(other, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def _refuse_another(conninfo: str, manifest: Manifest, replaces: bool) -> None:
    with connect(conninfo) as connection:
        found = connection.execute(QUERIES["is_migrated"]).fetchone()
        city = connection.execute(QUERIES["city"]).fetchone() if found and found["is_migrated"] else None
    if city is None or city["city"] is None:
        return
    if not replaces:
        message = (
            "there is a city here already: restore into a new state folder (GEO_GRID_STATE_DIR), or say --replace to put"
            " the backup in its place"
        )
        raise Conflict(message)
    if city["city"] != manifest.city:
        message = (
            "this is the backup of another city, and does not replace the one here: restore it into a state folder of its"
            " own (GEO_GRID_STATE_DIR)"
        )
        raise Conflict(message)


def _unpacked(path: Path, package: zipfile.ZipFile, manifest: Manifest, scratch: Path) -> Path:
    """Unpack the dump, and check it against the manifest."""
    target = scratch / DUMP
    try:
        with package.open(DUMP) as part, target.open("wb") as file:
            dump = Digested(part)
            dump.into(file)
    except (KeyError, zipfile.BadZipFile) as error:
        message = f"{path} is damaged: nothing was restored ({error})"
        raise UnreadableFile(message) from None
    if dump.hexdigest() != manifest.dump_sha256:
        message = f"{path} is damaged: the dump in it is not the one that its manifest names; nothing was restored"
        raise UnreadableFile(message)
    return target


def _make_roles(maintenance: psycopg.Connection[dict[str, object]]) -> None:
    """Make the roles that migrations make in a cluster where they were never run."""
    for role, statement in _ROLES.items():
        if maintenance.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
            maintenance.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _compare(conninfo: str, manifest: Manifest) -> None:
    """Raise SetupError if rows of a table, or the chain of the audit, are not those of the backup."""
    with connect(conninfo) as connection:
        rows = count_rows(connection)
    others = {"access.credentials", *(f"public.{table}" for table in OURS)}
    differing = [
        f"{table} has {rows.get(table, 0):,} rows instead of {count:,}"
        for table, count in manifest.rows.items()
        if table not in others and rows.get(table) != count
    ]
    verdict = verify_audit(conninfo)
    differing += verdict.faults
    if verdict.rows and (verdict.last_id, verdict.last_hash) != (manifest.audit_id, manifest.audit_hash):
        differing.append(f"the audit ends with row {verdict.last_id} instead of {manifest.audit_id}")
    if differing:
        message = f"what was restored is not what was backed up, and was deleted: {'; '.join(differing[:5])}"
        raise SetupError(message)


def verify_audit(conninfo: str) -> audit.Verdict:
    """Verify the whole chain of the audit."""

    async def verify() -> audit.Verdict:
        async with await psycopg.AsyncConnection.connect(conninfo, row_factory=dict_row) as connection:
            return await audit.verify(connection)

    return asyncio.run(verify())


def _graph_folder(package: zipfile.ZipFile, manifest: Manifest) -> str | None:
    """Return the name of the road graph's folder; None: it was left out. Raises UnreadableFile: it is not the one that is named."""
    if not manifest.has_graph:
        return None
    parts = [Path(name) for name in package.namelist() if name.startswith(ROADS)]
    expected = graph_folder(Path(ROADS), manifest.graph_key or "")
    if not parts or any(".." in part.parts or part.parts[:2] != expected.parts for part in parts):
        message = "the road graph in the backup is not the one that its manifest names: nothing was restored"
        raise UnreadableFile(message)
    return expected.name


def _take_graph(package: zipfile.ZipFile, graph: str | None, roads_dir: Path) -> None:
    """Unpack the road graph, unless it is there already; it appears when it is whole."""
    if graph is None:
        return
    roads_dir.mkdir(parents=True, exist_ok=True)
    folder = roads_dir / graph
    if (folder / "manifest.json").is_file():
        return
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=roads_dir))
    try:
        for name in package.namelist():
            if not name.startswith(ROADS):
                continue
            target = fresh.joinpath(*Path(name).parts[2:])
            target.parent.mkdir(parents=True, exist_ok=True)
            with package.open(name) as part, target.open("wb") as file:
                shutil.copyfileobj(part, file, BLOCK)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(maintenance: psycopg.Connection[dict[str, object]], name: str, beside: str) -> None:
    """Give the restored database its name; both are renamed or none."""
    before = name + _BEFORE
    drop(maintenance, before)
    maintenance.execute(QUERIES["connected"], {"database": name})
    with maintenance.transaction():
        for old, new in ((name, before), (beside, name)):
            maintenance.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new))
            )
