"""A small city with grid workers on its duty roster: two compounds of one person, one each of two others."""

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import httpx

from geo_grid.boundaries import publish_cells
from geo_grid.db import Connection, connect
from geo_grid.field import WorkerPerson, name_worker
from tests.conftest import live_server
from tests.identities import api_key, user
from tests.owners import owner
from tests.squares import SIDE, SOUTH, WEST, cells, local_levels, square, whole

IN_A = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
IN_B = {"lon": WEST + 1.5 * SIDE, "lat": SOUTH + SIDE / 2}
IN_C = {"lon": WEST + SIDE / 2, "lat": SOUTH + 1.5 * SIDE}
NAMES = {"P": "豫让桥街道", "A": "金华小区", "B": "泉南新村", "C": "顺德家园", "D": "钢铁生活区"}
HOUSEHOLDS = {"P": 1_350, "A": 310, "B": 120, "C": 420, "D": 500}
LI, WANG, ZHAO = (
    ("李网格员（演示）", "12000000001"),
    ("王网格员（演示）", "12000000002"),
    ("赵网格员（演示）", "12000000003"),
)
ROSTER = {"A": LI, "B": LI, "C": WANG, "D": ZHAO}


def fill(connection: Connection) -> None:
    """Cells A to D of P; on the roster since January Li has A and B, Wang C, Zhao D."""
    local_levels(connection)
    frame = cells(
        ("P", 1, None, whole(2, 2)),
        ("A", 2, "P", square(0, 0)),
        ("B", 2, "P", square(1, 0)),
        ("C", 2, "P", square(0, 1)),
        ("D", 2, "P", square(1, 1)),
    )
    frame = frame.assign(
        name=frame["grid_code"].map(NAMES), household_count=frame["grid_code"].map(HOUSEHOLDS),
        cell_kind=["division", "basic", "basic", "basic", "basic"],
    )  # fmt: skip
    publish_cells(connection, frame, "field")
    for cell, (name, phone) in ROSTER.items():
        connection.execute(
            "insert into duties (grid_code, duty_role, person_name, phone, valid_from)"
            " values (%s, 'grid_manager', %s, %s, '2026-01-01 00:00+08')",
            (cell, name, phone),
        )


def grid_worker(conninfo: str, person: tuple[str, str], grid_codes: list[str]) -> str:
    """The name of a new user of the role grid_worker who is a person of the roster."""
    name = user(conninfo, "grid_worker", grid_codes)
    given = WorkerPerson(person_name=person[0], phone=person[1])
    owner(conninfo, lambda connection: name_worker(connection, name, given))
    return name


class Field:
    """Clients of a served city."""

    def __init__(self, url: str, conninfo: str) -> None:
        self.url, self.conninfo = url, conninfo
        self.chief = self.client("supervisor")

    @cached_property
    def li(self) -> httpx.Client:
        return self.worker(LI, ["A", "B"])

    @cached_property
    def wang(self) -> httpx.Client:
        return self.worker(WANG, ["C"])

    def client(self, role: str, grid_codes: list[str] | None = None) -> httpx.Client:
        key = api_key(self.conninfo, role, grid_codes)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def worker(self, person: tuple[str, str], grid_codes: list[str]) -> httpx.Client:
        client = self.client("grid_worker", grid_codes)
        name = client.get("/session").json()["name"]
        given = WorkerPerson(person_name=person[0], phone=person[1])
        owner(self.conninfo, lambda connection: name_worker(connection, name, given))
        return client

    def visits(self) -> list[dict[str, Any]]:
        with connect(self.conninfo) as connection:
            return connection.execute("select * from visits order by visit_id").fetchall()


@contextlib.contextmanager
def served(conninfo: str, **settings: Any) -> Iterator[Field]:
    with connect(conninfo) as connection:
        fill(connection)
    with live_server(conninfo, **settings) as url:
        yield Field(url, conninfo)
