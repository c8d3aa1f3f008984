"""The first start: an administrator with a random password, and for a demo one user of each role."""

from dataclasses import dataclass

from geo_grid.access.accounts import QUERIES, NewAccount, Role, add_account
from geo_grid.db import AsyncConnection, fetch_one


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
    return await _made(connection, new, history, is_demo=False)


async def demo_users(connection: AsyncConnection, history: int) -> list[Made]:
    """Make a user of each role, marked as demo.

    The dispatcher is bound to one township; the grid worker is the first grid manager of the roster, bound to their cell; the
    others are bound to the whole city.
    """
    worker = await fetch_one(connection, QUERIES["first_grid_manager"])
    township = (await (await connection.execute(QUERIES["first_township"])).fetchone() or {}).get("grid_code")
    present = {row["login_name"] for row in await (await connection.execute(QUERIES["list"])).fetchall()}
    roles: dict[Role, str] = {
        "wall": "大屏", "grid_worker": "网格员", "dispatcher": "接警员", "planner": "规划员", "supervisor": "督导员",
        "administrator": "管理员", "auditor": "审计员",
    }  # fmt: skip
    bound = {"dispatcher": township, "grid_worker": worker.get("grid_code")}
    made = []
    for role, title in roles.items():
        if f"demo-{role}" in present:
            continue
        cell = bound.get(role)
        new = NewAccount(
            name=f"demo-{role}",
            display_name=f"{title}（演示）",
            role=role,
            city_wide=cell is None,
            grid_codes=[cell] if cell is not None else [],
            staff_number=f"DEMO-{role}" if role in ("administrator", "auditor") else None,
        )
        made.append(await _made(connection, new, history, is_demo=True))
        if role == "grid_worker" and worker:
            await connection.execute(QUERIES["name_demo_worker"], worker)
    return made


async def _made(connection: AsyncConnection, new: NewAccount, history: int, is_demo: bool) -> Made:
    password = await add_account(connection, new, history, is_demo)
    return Made(new.name, new.role, password or "")
