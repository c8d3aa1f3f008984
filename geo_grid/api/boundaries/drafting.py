"""Work on drafts for whoever asks, beside the event loop."""

from collections.abc import Callable
from typing import Any

from fastapi import Request

from geo_grid.api.server.asking import account_of, asker_of, identity_of
from geo_grid.api.server.state import server_of
from geo_grid.boundaries import drafts as work
from geo_grid.boundaries.division import Division
from geo_grid.budgets import DRAFTS, Budget
from geo_grid.db import Connection, acting_conninfo, connect


async def with_rights[T](request: Request, do: Callable[[Connection], T], budget: Budget = DRAFTS) -> T:
    """Run work in one transaction with the rights of whoever asks, beside the event loop. Raises TooMany, Busy."""
    conninfo = acting_conninfo(server_of(request).conninfo, asker_of(request))

    def run() -> T:
        with connect(conninfo) as connection:
            return do(connection)

    return await budget.run(account_of(request), run)


def in_force(request: Request) -> Division:
    """Return the cells in force; the server keeps them."""
    return server_of(request).in_force.read()


def name_of(request: Request) -> str:
    """Return the name under which whoever asks is written down."""
    return identity_of(request).login_name


def whole(connection: Connection, draft_id: int) -> dict[str, Any]:
    """Return a draft with its steps. Raises NotFound."""
    return {**work.find_draft(connection, draft_id), "history": work.draft_steps(connection, draft_id)}


async def changed(request: Request, draft_id: int, do: Callable[[Connection], object]) -> dict[str, Any]:
    """Do something to a draft, and answer with the draft as it is then."""

    def run(connection: Connection) -> dict[str, Any]:
        do(connection)
        return whole(connection, draft_id)

    return await with_rights(request, run)
