"""People, machines and screens that ask, made as the owner of the database makes them."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
from argon2 import PasswordHasher
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.access.accounts import (
    AccountChange,
    NewAccount,
    NewCredential,
    add_account,
    change_account,
    issue_credential,
)
from geo_grid.access.credentials import new_secret
from geo_grid.db import SERVICE_ROLE, AsyncConnection, connect
from tests.owners import owner

_NUMBER = itertools.count(1)
PASSWORD = "Correct-Horse-7-Battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""How this process hashes passwords (`tests.conftest`): the product's own hash takes 0.4 s of a core."""
_HASH = CHEAP.hash(PASSWORD)
_SETTLE = """
update access.passwords w set hash = %(hash)s, must_change = false, changed_at = now()
from access.principals p where p.principal_id = w.principal_id and p.login_name = %(name)s
"""


def _account(kind: str, role: str, cells: list[str] | None, **more: Any) -> NewAccount:
    name = f"{kind}-{role}-{next(_NUMBER)}"
    staff = f"S-{name}" if role in ("administrator", "auditor") else None
    return NewAccount(
        kind=kind, name=name, role=role, city_wide=not cells, grid_codes=cells or [], staff_number=staff, **more
    )


def _with_credential(conninfo: str, account: NewAccount, **more: Any) -> str:
    """Make an account and its credential in one transaction: a connection each would take 20 ms, some 1,500 times."""
    credential = NewCredential(name=account.name, **more)

    async def make(connection: AsyncConnection) -> str:
        await add_account(connection, account, 5)
        return (await issue_credential(connection, credential))[1]

    return owner(conninfo, make)


def api_key(
    conninfo: str, role: str, cells: list[str] | None = None, rights: list[str] | None = None, **more: Any
) -> str:
    """A key of a new machine: for these cells, or the whole city."""
    return _with_credential(conninfo, _account("machine", role, cells, **more), rights=rights)


def kiosk_token(conninfo: str, network: str = "127.0.0.0/8", cells: list[str] | None = None) -> str:
    account = _account("kiosk", "wall", cells)
    return _with_credential(conninfo, account, kind="kiosk", page="/maps/wall", network=network)


def user(conninfo: str, role: str, cells: list[str] | None = None, **more: Any) -> str:
    """The name of a new user whose password is PASSWORD and need not be changed."""
    new = _account("user", role, cells, **more)

    async def make(connection: AsyncConnection) -> None:
        await add_account(connection, new, 5)
        await connection.execute(_SETTLE, {"name": new.name, "hash": _HASH})

    owner(conninfo, make)
    return new.name


def as_server(conninfo: str, statement: str, values: dict[str, Any]) -> None:
    """Run a statement of due work, with the rights of the server itself."""
    digest = digest_of(new_secret("service"))
    with connect(conninfo) as connection:
        connection.execute("select access.admit_server(%s, interval '1 hour')", (digest,))
    with psycopg.connect(make_conninfo(conninfo, user=SERVICE_ROLE)) as connection:
        connection.execute("select set_config('geo_grid.credential', %s, true)", (digest,))
        connection.execute(statement.encode(), values)


def disable(conninfo: str, name: str) -> None:
    owner(conninfo, lambda connection: change_account(connection, name, AccountChange(disabled=True)))


@contextlib.contextmanager
def bearing(url: str, key: str) -> Iterator[httpx.Client]:
    """A client that shows a key."""
    with httpx.Client(base_url=url, timeout=90, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


@contextlib.contextmanager
def logged_in(url: str, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A client with a session, as a browser has it: a cookie, and the token in a header."""
    with httpx.Client(base_url=url, timeout=90) as client:
        answer = client.post("/session", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf_token"]
        yield client
