"""People, machines and screens that ask, made as the owner of the database makes them."""

import contextlib
import itertools
import ssl
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from geo_grid.access.accounts import (
    AccountChange,
    NewAccount,
    NewCredential,
    add_account,
    change_account,
    issue_credential,
)
from geo_grid.cli.access import as_owner
from geo_grid.db import AsyncConnection, connect

_NUMBER = itertools.count(1)
PASSWORD = "Correct-Horse-7-Battery"
_TRUSTED = ssl.create_default_context()
"""Made once: each client would read all certificates, 26 ms, which none needs."""


def owner[T](conninfo: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """As the owner of the database; in a thread, because Playwright has a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(as_owner, conninfo, work).result()


def _account(conninfo: str, kind: str, role: str, cells: list[str] | None, **more: Any) -> tuple[str, str | None]:
    name = f"{kind}-{role}-{next(_NUMBER)}"
    staff = f"S-{name}" if role in ("administrator", "auditor") else None
    new = NewAccount(
        kind=kind, name=name, role=role, city_wide=not cells, grid_codes=cells or [], staff_number=staff, **more
    )
    return name, owner(conninfo, lambda connection: add_account(connection, new, 5))


def api_key(
    conninfo: str, role: str, cells: list[str] | None = None, rights: list[str] | None = None, **more: Any
) -> str:
    """A key of a new machine: for these cells, or the whole city."""
    name, _ = _account(conninfo, "machine", role, cells, **more)
    new = NewCredential(name=name, rights=rights)
    return owner(conninfo, lambda connection: issue_credential(connection, new))[1]


def kiosk_token(conninfo: str, network: str = "127.0.0.0/8", cells: list[str] | None = None) -> str:
    name, _ = _account(conninfo, "kiosk", "wall", cells)
    new = NewCredential(name=name, kind="kiosk", page="/maps/wall", network=network)
    return owner(conninfo, lambda connection: issue_credential(connection, new))[1]


def user(conninfo: str, role: str, cells: list[str] | None = None, **more: Any) -> str:
    """The name of a new user whose password is PASSWORD and need not be changed."""
    name, _ = _account(conninfo, "user", role, cells, **more)
    settle_password(conninfo, name)
    return name


def settle_password(conninfo: str, name: str, password: str = PASSWORD) -> None:
    """Give a user a password without the first log-in, which has tests of its own."""
    from argon2 import PasswordHasher

    with connect(conninfo) as connection:
        connection.execute(
            "update access.passwords w set hash = %s, must_change = false, changed_at = now()"
            " from access.principals p where p.principal_id = w.principal_id and p.login_name = %s",
            (PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(password), name),
        )


def disable(conninfo: str, name: str) -> None:
    owner(conninfo, lambda connection: change_account(connection, name, AccountChange(disabled=True)))


@contextlib.contextmanager
def bearing(url: str, key: str) -> Iterator[httpx.Client]:
    """A client that shows a key."""
    with httpx.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {key}"}, verify=_TRUSTED) as client:
        yield client


@contextlib.contextmanager
def logged_in(url: str, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A client with a session, as a browser has it: a cookie, and the token in a header."""
    with httpx.Client(base_url=url, timeout=30, verify=_TRUSTED) as client:
        answer = client.post("/session", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf_token"]
        yield client
