"""Work on drafts with the rights of a request, in threads and processes beside the event loop."""

from collections.abc import Callable
from typing import Any

from fastapi import Request

from geo_grid.api.server.asking import apart, identity_of, with_rights
from geo_grid.api.server.state import server_of
from geo_grid.boundaries import drafts as work
from geo_grid.boundaries.division import Division
from geo_grid.budgets import Budget
from geo_grid.db import Connection


def in_force(request: Request) -> Division:
    """Return the cells in force, from derived state. May block for a second: not on the event loop."""
    return server_of(request).in_force.read(is_strict=True)


def name_of(request: Request) -> str:
    """Return the principal's name, as authors are stored."""
    return identity_of(request).login_name


def whole(connection: Connection, draft_id: int) -> dict[str, Any]:
    """Return a draft with its steps. Raises NotFound."""
    return {**work.find_draft(connection, draft_id), "history": work.draft_steps(connection, draft_id)}


async def changed(request: Request, draft_id: int, do: Callable[[Connection], object]) -> dict[str, Any]:
    """Call `do` in a transaction that changes a draft, in a thread; return the draft afterwards."""

    def run(connection: Connection) -> dict[str, Any]:
        do(connection)
        return whole(connection, draft_id)

    return await with_rights(request, run)


async def changed_apart(
    request: Request, draft_id: int, budget: Budget, do: Callable[..., None], *more: object
) -> dict[str, Any]:
    """Do something that may take any time and memory to a draft; see `apart`.

    Parameters
    ----------
    do
        Called with the connection string for the request's rights, that of the service role, the draft, and `more`.
    """
    await apart(request, budget, do, server_of(request).seeing_all, draft_id, *more)
    return await with_rights(request, lambda connection: whole(connection, draft_id))
