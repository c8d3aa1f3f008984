"""Our server without log-in and rights: what they cost is measured against it, and it serves nothing else."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from geo_grid.access import Identity
from geo_grid.api import app
from geo_grid.api.listening import listen
from geo_grid.api.server import asking
from geo_grid.api.serving import serve
from geo_grid.db import Asker, AsyncConnection, AsyncPool
from geo_grid.locate import EVERYTHING
from geo_grid.settings import Settings

ANYBODY = Identity("", 0, "", "", "", "key", frozenset({"map", "incidents.read"}), True, None, "", EVERYTHING)


class Unidentified:
    """Lets everybody in."""

    def __init__(self, inner: ASGIApp, settings: Settings) -> None:
        self.app = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["geo_grid.asker"], scope["geo_grid.secret"], scope["geo_grid.identity"] = Asker(""), None, ANYBODY
        await self.app(scope, receive, send)


@contextlib.asynccontextmanager
async def plain(pool: AsyncPool, asker: Asker, read_only: bool = True) -> AsyncIterator[AsyncConnection]:
    """A connection of the owner, whom no policy binds, in a transaction of the usual kind."""
    async with pool.connection() as connection:
        await connection.execute("begin isolation level repeatable read read only")
        yield connection
        await connection.commit()


async def once(
    pool: AsyncPool, asker: Asker, statement: str, values: dict[str, Any], read_only: bool = True
) -> list[dict[str, Any]]:
    """The rows of one statement, without saying who asks."""
    async with pool.connection() as connection:
        return await (await connection.execute(statement, values, binary=True)).fetchall()


if __name__ == "__main__":
    app.Identified = Unidentified
    asking.acting = plain
    asking.ask_once = once
    owner = os.environ["GEO_GRID_DATABASE_URL"]
    settings = Settings(app_database_url=owner, port=int(sys.argv[1]))
    serve(app.create_app(settings, owner), settings, listen(settings), lambda: None)
