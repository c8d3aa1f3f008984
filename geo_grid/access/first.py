"""The first start: an administrator with a random password."""

from dataclasses import dataclass

from geo_grid.access.accounts import QUERIES, NewAccount, add_account
from geo_grid.db import AsyncConnection


@dataclass(frozen=True)
class Made:
    """An account that was made, and its one-time password, which is shown once."""

    login_name: str
    role: str
    password: str


async def first_administrator(connection: AsyncConnection, history: int) -> Made | None:
    """Make the first administrator if there is no user yet, in a transaction of the database's owner; else None."""
    row = await (await connection.execute(QUERIES["no_accounts"])).fetchone()
    if row is None or not row["none"]:
        return None
    new = NewAccount(
        name="admin", display_name="系统管理员", role="administrator", city_wide=True, staff_number="ADMIN-1"
    )
    return await make_account(connection, new, history, is_demo=False)


async def make_account(connection: AsyncConnection, new: NewAccount, history: int, is_demo: bool) -> Made:
    """Make an account with a one-time password; `history`: how many former passwords it may not have."""
    password = await add_account(connection, new, history, is_demo)
    return Made(new.name, new.role, password or "")
