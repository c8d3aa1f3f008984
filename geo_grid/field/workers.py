"""Which person of the duty roster an account is: by name and duty telephone, which stay when cells are cut anew."""

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, NotLoggedIn

QUERIES = load_queries("geo_grid.field", "workers.sql")
_ONE, _ALL = (f"{QUERIES['workers']} {QUERIES[which]}" for which in ("of_account", "by_name"))


class WorkerPerson(BaseModel):
    """A person of the duty roster."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    person_name: str = Field(min_length=1, max_length=200)
    phone: str = Field("", max_length=40, description="duty telephone, as the roster has it")


class Worker(WorkerPerson):
    """An account, and the person that it is."""

    login_name: str
    grid_codes: list[str] = Field(description="cells of their duties that whoever asks sees; empty: none in force")


async def workers(connection: AsyncConnection) -> list[Worker]:
    """List accounts that are persons of the roster, by name."""
    rows = await connection.execute(_ALL)
    return [Worker.model_validate(row) for row in await rows.fetchall()]


async def require_account(connection: AsyncConnection) -> None:
    """Raise NotLoggedIn when the session has just ended: its person is not somebody without compounds."""
    if not await fetch_one(connection, QUERIES["me"]):
        message = "your session has ended: log in again, and send this once more"
        raise NotLoggedIn(message)


async def name_worker(connection: AsyncConnection, login_name: str, person: WorkerPerson) -> Worker:
    """Say which person of the roster an account is.

    Raises
    ------
    NotFound
        There is no such account that may record visits, or nobody of that name and telephone on the roster.
    Conflict
        Another account is that person.
    Forbidden
        The account's cells are not all the caller's.
    """
    account = (await fetch_one(connection, QUERIES["account"], {"login_name": login_name}))["principal_id"]
    if account is None:
        message = f"there is no account {login_name} that may record visits: make one of the role grid_worker first"
        raise NotFound(message)
    values = {**person.model_dump(), "login_name": login_name, "principal_id": account}
    if not await fetch_one(connection, QUERIES["person"], values):
        told = f"{person.person_name} with the telephone {person.phone!r}"
        message = f"nobody on the duty roster is {told}: name and telephone must be as the roster has them"
        raise NotFound(message)
    try:
        await connection.execute(QUERIES["set"], values)
    except psycopg.errors.UniqueViolation:
        message = f"another account is {person.person_name} already: GET /field/workers lists them"
        raise Conflict(message) from None
    except psycopg.errors.InsufficientPrivilege:
        message = f"the cells of {login_name} are not all yours: whoever has them all says who it is"
        raise Forbidden(message) from None
    return Worker.model_validate(await fetch_one(connection, _ONE, values))
