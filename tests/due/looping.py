"""A server that does nothing but what is due, into a table of the test: also as a process of its own, to be killed."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial

from geo_grid.budgets import Budget
from geo_grid.db import Asker, Connection, connect, open_pool
from geo_grid.due import Due, Kind

LEASE_S = 1.0


def work(doing: float, connection: Connection, subjects: Sequence[str]) -> None:
    """Write down what was done, and fail over what is bad; `doing`: for so many seconds, after it was written."""
    for subject in subjects:
        connection.execute("insert into done (subject) values (%s)", (subject,))
        if subject == "bad":
            message = "it is bad"
            raise RuntimeError(message)
    if doing:
        sys.stdout.write("in the middle\n")  # at once: two kinds are worked on side by side
        sys.stdout.flush()
        time.sleep(doing)


def kinds(at_once: int = 1) -> list[Kind[float]]:
    budget = Budget("tests", at_once=2, waiting=10, each=1)
    return [
        Kind("once", work, budget, at_once=at_once, first_wait_s=0.4),
        Kind("often", work, budget, every_s=3600.0),
    ]


@contextlib.asynccontextmanager
async def looping(database: str, doing: float = 0.0, at_once: int = 1) -> AsyncIterator[Due[float]]:
    """One server's loop over a database, as its owner."""
    async with open_pool(database, 2, 30) as pool:
        due = Due(kinds(at_once), doing, pool, Asker(""), partial(connect, database), LEASE_S)
        async with due.kept():
            yield due


async def _main() -> None:
    async with looping(sys.argv[1], doing=600.0):
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(_main())
