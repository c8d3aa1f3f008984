"""A small city with mediation organisations at every level, and people at its desk."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from geo_grid.db import Connection, connect
from tests.conftest import live_server
from tests.identities import api_key
from tests.squares import SIDE, SOUTH, STEP, WEST, two_by_two

IN_A = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
IN_D = {"lon": WEST + 3 * SIDE / 2, "lat": SOUTH + 3 * SIDE / 2}
ORGANISATION = """
with made as (
    insert into facilities (facility_code, facility_kind, name, division_level, geom)
    values (%(code)s, 'mediation_organisation', %(code)s || '调解委员会', %(level)s, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490))
    returning facility_id
), described as (
    insert into mediation_organisations (facility_id, mediation_kind, grid_code, takes_cases)
    select facility_id, %(kind)s, %(cell)s, %(takes)s from made returning facility_id
)
insert into mediators (facility_id, person_name)
select facility_id, '调解员（演示）' from described where %(staffed)s
"""


def organisation(
    connection: Connection, code: str, kind: str, level: str, cell: str | None, at: dict[str, float], takes: bool = True,
    staffed: bool = True,
) -> None:  # fmt: skip
    place = {name: round(value / STEP) * STEP for name, value in at.items()}
    values = {"code": code, "kind": kind, "level": level, "cell": cell, "takes": takes, "staffed": staffed, **place}
    connection.execute(ORGANISATION, values)


class Desk:
    """People at the desk of one city."""

    def __init__(self, url: str, conninfo: str) -> None:
        self.url, self.conninfo = url, conninfo
        self.lin, self.zhao, self.chief = (
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {api_key(conninfo, role)}"}, timeout=30)
            for role in ("dispatcher", "dispatcher", "supervisor")
        )

    def send(self, who: httpx.Client, path: str, status: int = 201, **given: Any) -> dict[str, Any]:
        answer = who.post(path, json=given)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def ask(self, who: httpx.Client, path: str, status: int = 200) -> dict[str, Any]:
        answer = who.get(path)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def report(self, place: dict[str, float] = IN_A, category: str = "dispute") -> int:
        return int(self.send(self.lin, "/incidents", **place, category=category)["incident_id"])

    def take(self, incident: int, **given: Any) -> int:
        return int(self.send(self.lin, f"/incidents/{incident}/mediation", **given)["case_id"])

    def step(self, who: httpx.Client, case: int, action: str, status: int = 201, **given: Any) -> dict[str, Any]:
        return self.send(who, f"/mediation/cases/{case}/steps", status, action=action, **given)

    def act(self, who: httpx.Client, incident: int, action: str, status: int = 201, **given: Any) -> dict[str, Any]:
        return self.send(who, f"/incidents/{incident}/steps", status, action=action, **given)


@contextlib.contextmanager
def served(conninfo: str, **settings: Any) -> Iterator[Desk]:
    """Cells A to D of P: people's mediation in A and D and for P, judicial for P, arbitration for the city."""
    with connect(conninfo) as connection:
        two_by_two(connection)
        organisation(connection, "A-people", "people", "village", "A", IN_A)
        organisation(connection, "D-people", "people", "village", "D", IN_D)
        organisation(connection, "P-people", "people", "township", "P", IN_D)
        organisation(connection, "P-judicial", "judicial", "county", "P", IN_D)
        organisation(connection, "city-arbitration", "arbitration", "city", None, IN_D)
        organisation(connection, "A-closed", "administrative", "village", "A", IN_A, takes=False)
        organisation(connection, "P-nobody", "administrative", "township", "P", IN_A, staffed=False)
    with live_server(conninfo, **settings) as url:
        yield Desk(url, conninfo)
