"""Hooks: who is told of what; letters that were given up, read and sent again."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import psycopg
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Forbidden, NotFound
from geo_grid.hooks.addresses import Network, check_url

QUERIES = load_queries("geo_grid.hooks", "hooks.sql")

type Told = Literal["incident.changed", "incidents.changed", "boundaries.published", "area.uncovered", "area.covered"]


class NewHook(BaseModel):
    """A hook to be made."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    url: Annotated[AnyHttpUrl, Field(max_length=500, description="https only")]
    kinds: list[Told] = Field(min_length=1, max_length=5, description="what it is told of")
    grid_code: str | None = Field(
        None, min_length=1, max_length=64, description="only what happens in this cell; null: all that you may see"
    )
    label: str = Field("", max_length=200)


class Hook(BaseModel):
    """A hook, without its secret."""

    hook_id: int
    url: str
    label: str
    kinds: list[Told]
    grid_code: str | None
    made_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None
    waiting: int = Field(description="letters that are still to be sent")
    dead: int = Field(description="letters that were given up")


class DeadLetter(BaseModel):
    """A letter that was given up."""

    letter_id: int
    kind: str
    subject: str
    payload: dict[str, Any]
    made_at: datetime
    attempts: int
    last_error: str | None
    dead_at: datetime


async def list_hooks(connection: AsyncConnection) -> list[Hook]:
    """List hooks."""
    rows = await connection.execute(QUERIES["all"], {"hook_id": None})
    return [Hook.model_validate(row) for row in await rows.fetchall()]


async def add_hook(connection: AsyncConnection, new: NewHook, listed: Sequence[Network]) -> tuple[Hook, str]:
    """Make a hook; return it and its secret, which is not shown again.

    Raises
    ------
    UserError
        Letters may not go to this address.
    NotFound
        There is no such cell.
    Forbidden
        The caller's right is not for the whole city.
    """
    check_url(new.url, listed)
    if new.grid_code is not None:
        cell = await connection.execute(QUERIES["cell"], {"grid_code": new.grid_code})
        if not cell.rowcount:
            message = f"there is no grid cell {new.grid_code!r}"
            raise NotFound(message)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    values = {**new.model_dump(), "url": str(new.url), "secret": secret}
    try:
        row = await fetch_one(connection, QUERIES["add"], values)
    except psycopg.errors.InsufficientPrivilege:
        message = "hooks are the whole city's: somebody with the right webhooks in the whole city makes them"
        raise Forbidden(message) from None
    return await _read(connection, row["hook_id"]), secret


async def enable_hook(connection: AsyncConnection, hook_id: int, enabled: bool) -> Hook:
    """Disable a hook, which is told nothing from then on, or bring it into force again. Raises NotFound."""
    await connection.execute(QUERIES["enable"], {"hook_id": hook_id, "enabled": enabled})
    return await _read(connection, hook_id)


async def remove_hook(connection: AsyncConnection, hook_id: int) -> None:
    """Remove a hook and its letters. Raises NotFound."""
    if not (await connection.execute(QUERIES["remove"], {"hook_id": hook_id})).rowcount:
        raise _missing(hook_id)


async def dead_letters(
    connection: AsyncConnection, hook_id: int, limit: int, after: int | None = None
) -> list[DeadLetter]:
    """List letters of a hook that were given up, oldest first; `after` is the last letter_id of the previous page. Raises NotFound."""
    await _read(connection, hook_id)
    rows = await connection.execute(QUERIES["dead"], {"hook_id": hook_id, "limit": limit, "after": after})
    return [DeadLetter.model_validate(row) for row in await rows.fetchall()]


async def send_again(connection: AsyncConnection, hook_id: int, letter_ids: Sequence[int] | None) -> int:
    """Put letters that were given up (None: all) back in the queue; return how many. Raises NotFound."""
    await _read(connection, hook_id)
    given = list(letter_ids) if letter_ids is not None else None
    return (await connection.execute(QUERIES["send_again"], {"hook_id": hook_id, "letter_ids": given})).rowcount


async def _read(connection: AsyncConnection, hook_id: int) -> Hook:
    row = await (await connection.execute(QUERIES["all"], {"hook_id": hook_id})).fetchone()
    if row is None:
        raise _missing(hook_id)
    return Hook.model_validate(row)


def _missing(hook_id: int) -> NotFound:
    return NotFound(f"there is no hook {hook_id}: GET /webhooks lists them")
