"""Heavy reads at a streaming replica that lags on purpose: no answer is of an older edition than the primary's."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from drills.kit import descendants
from drills.squares import SIDE, SOUTH, WEST, county, two_levels
from drills.standby import copied
from geo_grid import doctor
from geo_grid.api.ogc import features
from geo_grid.boundaries import publish_cells
from geo_grid.boundaries.drawn import draw_cells
from geo_grid.boundaries.publish import QUERIES, open_edition
from geo_grid.db import (
    APPLICATION_ROLE,
    Asker,
    Cluster,
    Replicas,
    acting,
    connect,
    examine_replicas,
    migrate,
    open_pool,
)
from geo_grid.db.connections import replica_conninfo
from geo_grid.errors import BrokenOff, UserError
from geo_grid.layers.features import read_page
from geo_grid.layers.grid_levels import set_levels
from geo_grid.settings import Settings
from tests.api.test_metrics import read
from tests.conftest import live_server
from tests.databases import state_folder
from tests.identities import api_key, bearing

BOX = f"{WEST},{SOUTH},{WEST + SIDE},{SOUTH + SIDE}"
COLUMN = int((WEST + 180) / 360 * 2**14)
ROW = int((1 - math.asinh(math.tan(math.radians(SOUTH + SIDE / 2))) / math.pi) / 2 * 2**14)
CELLS = "/collections/grid_cells"
HEAVY = (
    f"{CELLS}/items?limit=20",
    f"{CELLS}/items?limit=20&f=csv",
    f"{CELLS}/items?limit=20&f=geojsonseq",
    f"{CELLS}/items?zoom=14&bbox={BOX}",
    f"{CELLS}/tiles/WebMercatorQuad/14/{ROW}/{COLUMN}",
    f"{CELLS}/export?f=geojson",
    "/indicators/figures?by=cell",
)
"""Lists, long answers, what maps show, tiles, files, indicators: whatever may be read at a replica."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """A city's primary, and a replica of it."""
    with state_folder() as folder, Cluster(folder / "a") as primary:
        migrate(primary.conninfo)
        with connect(primary.conninfo) as connection:
            set_levels(connection, two_levels())
            publish_cells(connection, county("C", 0, 2), "squares")
        with copied(primary, folder / "b", "b") as replica:
            yield primary, replica


def as_application(cluster: Cluster) -> str:
    return make_conninfo(cluster.conninfo, user=APPLICATION_ROLE)


def told(cluster: Cluster, *statements: str) -> None:
    with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def publish(cluster: Cluster, number: int) -> str:
    """Publish an edition whose cells bear its name."""
    name = f"edition-{number}-"
    with connect(cluster.conninfo) as connection:
        edition, begins = open_edition(connection, name)
        moment = {"edition": edition, "valid_from": begins}
        cells = connection.execute("select grid_code, geom from grid_cells where valid_to is null").fetchall()
        connection.execute(QUERIES["close_cells"], {"codes": [cell["grid_code"] for cell in cells], **moment})
        for cell in cells:
            connection.execute(QUERIES["reopen_cell"], {"code": cell["grid_code"], "geom": cell["geom"], **moment})
        connection.execute("update grid_cells set name = %s where edition_id = %s", (name, edition))
        draw_cells(connection, edition, begins)
    return name


def begun(client: httpx.Client) -> tuple[float, float]:
    """How many heavy reads were begun at the replica and at the primary."""
    found = read(client)
    return found["geo_grid_heavy_reads_total", "replica"], found["geo_grid_heavy_reads_total", "primary"]


def assert_newest(client: httpx.Client, edition: str) -> None:
    for path in HEAVY:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert edition.encode() in answer.content, path
        assert answer.content.count(b"edition-") == answer.content.count(edition.encode()), path


def asked_until_at_replica(client: httpx.Client, path: str) -> None:
    before, deadline = begun(client)[0], time.monotonic() + 30
    while begun(client)[0] == before:
        assert time.monotonic() < deadline, "the replica is not asked again"
        assert client.get(path).status_code == 200
        time.sleep(0.2)


@pytest.fixture(scope="module")
def served(pair: tuple[Cluster, Cluster]) -> Iterator[httpx.Client]:
    primary, replica = pair
    publish(primary, 0)
    key = api_key(primary.conninfo, "supervisor")
    with live_server(primary.conninfo, replica_url=as_application(replica)) as url, bearing(url, key) as client:
        yield client


@pytest.mark.timeout(120)
def test_no_answer_is_of_an_older_edition(pair: tuple[Cluster, Cluster], served: httpx.Client) -> None:
    primary, replica = pair
    asked_until_at_replica(served, HEAVY[0])
    before = begun(served)
    assert_newest(served, publish(primary, 1))
    assert begun(served) == (before[0] + len(HEAVY), before[1])  # all were read there, after it had caught up
    told(replica, "alter system set recovery_min_apply_delay = '150ms'", "select pg_reload_conf()")
    key = api_key(primary.conninfo, "supervisor")
    with live_server(primary.conninfo) as url, bearing(url, key) as elsewhere:
        for number in range(2, 6):  # now it has it within the time that is waited for it, now it has not
            newest = publish(primary, number)
            assert newest.encode() in elsewhere.get(HEAVY[0]).content  # seen at a server that knows no replica
            assert_newest(served, newest)
    told(
        replica,
        "alter system reset recovery_min_apply_delay",
        "select pg_reload_conf()",
        "select pg_wal_replay_pause()",
    )
    newest = publish(primary, 6)
    before = begun(served)
    assert_newest(served, newest)
    assert begun(served) == (before[0], before[1] + len(HEAVY))
    assert [one for one in served.get("/readyz").json()["warnings"] if "replicas" in one]
    told(replica, "select pg_wal_replay_resume()")
    asked_until_at_replica(served, HEAVY[0])
    before = begun(served)
    assert_newest(served, newest)
    assert begun(served)[0] > before[0]
    assert not [one for one in served.get("/readyz").json()["warnings"] if "replicas" in one]


def test_what_a_replica_breaks_off_is_asked_at_the_primary(
    served: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_until_at_replica(served, HEAVY[0])
    before, broken = begun(served), list[Any]()

    async def read_once(database: Any, *more: Any) -> Any:
        if not broken:
            broken.append(await read_page(database, *more))
            raise psycopg.errors.SerializationFailure("canceling statement due to conflict with recovery")
        return await read_page(database, *more)

    monkeypatch.setattr(features, "read_page", read_once)
    for path in (HEAVY[0], HEAVY[2]):
        broken.clear()
        assert b"edition-" in served.get(path).content
        assert broken
    assert begun(served)[0] == before[0] + 2


def test_a_conflict_with_recovery_is_told_as_broken_off(pair: tuple[Cluster, Cluster]) -> None:
    primary, replica = pair
    told(replica, "alter system set max_standby_streaming_delay = 0", "select pg_reload_conf()")
    told(primary, "create table if not exists in_the_way (n int)", "grant select on in_the_way to geo_grid_app")

    async def check() -> None:
        there, here = as_application(primary), as_application(replica)
        async with open_pool(there, 1, 30) as pool, open_pool(here, 1, 30) as instead:
            async with Replicas.kept(here, {pool: instead}) as replicas:
                async with acting(replicas.before(pool), Asker("")) as connection:
                    await connection.execute("select from in_the_way")
                    found = await (await connection.execute("select pg_is_in_recovery() as so")).fetchone()
                    assert found == {"so": True}
                    await asyncio.to_thread(told, primary, "truncate in_the_way")
                    await asyncio.sleep(1)
                    await connection.execute("select from in_the_way")

    with pytest.raises(BrokenOff, match="conflict with recovery"):
        asyncio.run(check())
    told(replica, "alter system reset max_standby_streaming_delay", "select pg_reload_conf()")


def test_a_replica_that_is_none_of_this_database_is_left_out(pair: tuple[Cluster, Cluster], database: str) -> None:
    primary, replica = pair
    for stranger, why in (
        (make_conninfo(database, user=APPLICATION_ROLE), "no replica of this database"),
        (as_application(primary), "no replica of this database"),
        (make_conninfo(as_application(replica), port=1), "connection"),
    ):
        with connect(primary.conninfo) as connection:
            is_well, found = examine_replicas(connection, stranger)
        assert not is_well
        assert why in found
    with connect(primary.conninfo) as connection:
        assert examine_replicas(connection, as_application(replica)) == (True, "have all that the primary has")
    with pytest.raises(UserError, match="must name the user geo_grid_app"):
        replica_conninfo(replica.conninfo, as_application(primary))


@pytest.mark.timeout(120)
def test_a_frozen_replica_holds_nobody_up(pair: tuple[Cluster, Cluster], served: httpx.Client) -> None:
    _, replica = pair
    asked_until_at_replica(served, HEAVY[0])
    frozen = descendants(int((replica.data / "postmaster.pid").read_text().split()[0]))
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for path in HEAVY:
            assert served.get(path).status_code == 200
        assert time.monotonic() - began < 8  # only the first waits, a second; a busy machine
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    asked_until_at_replica(served, HEAVY[0])


@pytest.mark.timeout(120)
def test_a_replica_with_another_password_and_one_that_is_down(
    pair: tuple[Cluster, Cluster], served: httpx.Client
) -> None:
    primary, replica = pair
    told(primary, "alter role geo_grid_app password 'Correct'")
    allowed: Path = replica.data / "pg_hba.conf"
    was = allowed.read_text()
    allowed.write_text("local all geo_grid_app scram-sha-256\n" + was)
    told(replica, "select pg_reload_conf()")
    wrong = make_conninfo(as_application(replica), password="Wrong")
    key = api_key(primary.conninfo, "supervisor")
    with live_server(primary.conninfo, replica_url=wrong) as url, bearing(url, key) as client:
        for _ in range(3):
            began = time.monotonic()
            assert client.get(HEAVY[0]).status_code == 200
        assert time.monotonic() - began < 0.9  # it is not waited for again
        assert begun(client) == (0, 3)
        assert client.get("/readyz").status_code == 200
    with connect(primary.conninfo) as connection:
        assert "password authentication failed" in examine_replicas(connection, wrong)[1]
    settings = Settings(database_url=primary.conninfo, app_database_url=as_application(primary), replica_url=wrong)
    finding = next(one for one in doctor.examine(primary.conninfo, settings) if one.what == "replicas")
    assert (finding.ok, "heavy reads go to the primary" in finding.found) == (False, True)
    allowed.write_text(was)
    told(replica, "select pg_reload_conf()")
    asked_until_at_replica(served, HEAVY[0])
    replica.run("pg_ctl", "stop", "--pgdata", str(replica.data), "--mode=immediate", "--silent")
    for path in HEAVY:
        assert served.get(path).status_code == 200
    assert served.get("/readyz").status_code == 200
    replica.ensure_running()
    asked_until_at_replica(served, HEAVY[0])
