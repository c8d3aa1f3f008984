"""Incidents that come in at the same time are stored in one transaction, and each is answered as if it were alone."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.db import APPLICATION_ROLE, Asker, ask_once, connect, open_pool
from geo_grid.workflow import TOGETHER, Filing
from tests.identities import api_key
from tests.squares import SIDE, SOUTH, WEST

HERE = {
    "lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "category": "traffic", "subtype": "", "description": "", "address": "",
    "caller_number": None, "received_at": None, "key": None, "digest": None,
}  # fmt: skip
OUTSIDE = HERE | {"lon": WEST + SIDE * 1.5, "lat": SOUTH + SIDE * 1.5}
ONE, OTHER = Asker("one"), Asker("other")


class Held:
    """Writes nothing until it is let go, and notes what it was given at a time."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.groups: list[tuple[str, int]] = []
        self.failing: dict[str, psycopg.Error] = {}

    async def __call__(self, asker: Asker, _: int | None, __: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        rows = json.loads(values["rows"])
        self.groups.append((asker.credential, len(rows)))
        await self.let_go.wait()
        for row in rows:
            if row["description"] in self.failing:
                raise self.failing[row["description"]]
        return [{"said": row["description"]} for row in rows]


def asked(*descriptions: object) -> list[dict[str, Any]]:
    return [HERE | {"description": str(one)} for one in descriptions]


async def filed(filing: Filing, rows: Sequence[dict[str, Any]], asker: Asker = ONE) -> list[Any]:
    return await asyncio.gather(*(filing.file(asker, 1, row) for row in rows), return_exceptions=True)


def test_what_waits_is_stored_together_and_what_comes_first_at_once() -> None:
    async def work() -> None:
        held = Held()
        filing = Filing(held)
        first = asyncio.create_task(filed(filing, asked("first")))
        await asyncio.sleep(0)
        rest = asyncio.create_task(filed(filing, asked(*range(TOGETHER + 10))))
        others = asyncio.create_task(filed(filing, asked("theirs"), OTHER))
        await asyncio.sleep(0.01)
        assert held.groups == [("one", 1), ("other", 1)]  # nobody waits for another's
        held.let_go.set()
        assert await first == [{"said": "first"}]
        assert await others == [{"said": "theirs"}]
        assert await rest == [{"said": str(number)} for number in range(TOGETHER + 10)]
        assert held.groups[2:] == [("one", TOGETHER), ("one", 10)]
        await filed(filing, asked("later"))
        assert held.groups[-1] == ("one", 1)

    asyncio.run(work())


def test_one_that_cannot_be_stored_spoils_no_other() -> None:
    async def work() -> None:
        held = Held()
        held.let_go.set()
        held.failing["b"] = psycopg.errors.InsufficientPrivilege("not theirs")
        assert await filed(Filing(held), asked("a", "b", "c")) == [{"said": "a"}, held.failing["b"], {"said": "c"}]

    asyncio.run(work())


def test_when_the_database_is_lost_all_are_told_and_none_is_tried_again() -> None:
    async def work() -> None:
        held = Held()
        held.let_go.set()
        held.failing["b"] = lost = psycopg.OperationalError("the connection is closed")
        assert await filed(Filing(held), asked("a", "b", "c")) == [lost] * 3
        assert held.groups == [("one", 3)]

    asyncio.run(work())


@pytest.mark.parametrize("outsiders", [0, 1])
def test_a_key_is_one_incident_also_within_one_transaction(small_city: str, outsiders: int) -> None:
    """The same with one among them that may not be stored, so that each is stored by itself."""
    asker = Asker(digest_of(api_key(small_city, "dispatcher", ["A"])))
    keyed = HERE | {"key": "k", "digest": "00"}
    rows = [HERE, keyed, keyed, keyed | {"digest": "01", "description": "other"}, HERE, *[OUTSIDE] * outsiders, HERE]

    async def work() -> list[Any]:
        async with open_pool(make_conninfo(small_city, user=APPLICATION_ROLE), 2, 10) as pool:

            async def write(
                asker: Asker, _: int | None, statement: str, values: dict[str, Any]
            ) -> list[dict[str, Any]]:
                return await ask_once(pool, asker, statement, values, read_only=False)

            return await filed(Filing(write), rows, asker)

    told = asyncio.run(work())
    for refused in told[5 : 5 + outsiders]:
        assert isinstance(refused, psycopg.errors.InsufficientPrivilege)
    answers = [*told[:5], *told[5 + outsiders :]]
    assert [one["is_new"] for one in answers] == [True, True, False, None, True, True]
    numbers = [one["incident_id"] for one in answers]
    assert (numbers[2], numbers[3]) == (numbers[1], None)
    assert [one["grid_code"] for one in answers] == ["A", "A", "A", None, "A", "A"]
    with connect(small_city) as connection:
        stored = connection.execute("select incident_id, xmin::text as written_in from incidents order by 1").fetchall()
        events = connection.execute("select subject from changes where kind = 'incident' order by change_id").fetchall()
    in_order = [numbers[at] for at in (0, 1, 4, 5)]  # as they came
    assert [row["incident_id"] for row in stored] == in_order
    assert [int(row["subject"]) for row in events] == in_order
    assert len({row["written_in"] for row in stored}) == (4 if outsiders else 1)
