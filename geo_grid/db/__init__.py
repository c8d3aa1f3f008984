"""Connections, migrations, named queries and the private PostGIS cluster."""

from geo_grid.db.acting import Asker, Reading, acting, acting_conninfo, acting_in_thread, ask_once
from geo_grid.db.as_text import AGAIN, differences
from geo_grid.db.cluster import Cluster
from geo_grid.db.connections import (
    APPLICATION_ROLE,
    SERVICE_ROLE,
    AsyncConnection,
    AsyncPool,
    Connection,
    ThreadPool,
    application_conninfo,
    connect,
    connection_string,
    database,
    fetch_one,
    limited,
    named,
    open_pool,
    open_thread_pool,
    service_conninfo,
    storage,
    translated_errors,
)
from geo_grid.db.copying import COPY_HEAD, COPY_TAIL, copy_rows, ewkb, insert_rows, read_fixed
from geo_grid.db.migrations import migrate, read_migrations
from geo_grid.db.psql import run_psql
from geo_grid.db.queries import load_queries

__all__ = [
    "AGAIN",
    "APPLICATION_ROLE",
    "COPY_HEAD",
    "COPY_TAIL",
    "SERVICE_ROLE",
    "Asker",
    "AsyncConnection",
    "AsyncPool",
    "Cluster",
    "Connection",
    "Reading",
    "ThreadPool",
    "acting",
    "acting_conninfo",
    "acting_in_thread",
    "application_conninfo",
    "ask_once",
    "connect",
    "connection_string",
    "copy_rows",
    "database",
    "differences",
    "ewkb",
    "fetch_one",
    "insert_rows",
    "limited",
    "load_queries",
    "migrate",
    "named",
    "open_pool",
    "open_thread_pool",
    "read_fixed",
    "read_migrations",
    "run_psql",
    "service_conninfo",
    "storage",
    "translated_errors",
]
