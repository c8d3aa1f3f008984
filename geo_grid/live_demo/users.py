"""The people who log in to the demo city: one user of each role."""

from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.accounts import NewAccount, Role
from geo_grid.access.first import Made, make_account
from geo_grid.db import AsyncConnection, fetch_one, load_queries

QUERIES = load_queries("geo_grid.live_demo", "users.sql")


async def demo_users(connection: AsyncConnection, history: int) -> list[Made]:
    """Make a user of each role, marked as demo.

    The dispatcher is bound to one township; the grid worker is the first grid manager of the roster, bound to their cell; the
    others are bound to the whole city.
    """
    present = {row["login_name"] for row in await (await connection.execute(ACCOUNTS["list"])).fetchall()}
    roles: dict[Role, str] = {
        "wall": "大屏", "grid_worker": "网格员", "dispatcher": "接警员", "planner": "规划员", "supervisor": "督导员",
        "administrator": "管理员", "auditor": "审计员",
    }  # fmt: skip
    missing = {role: title for role, title in roles.items() if f"demo-{role}" not in present}
    if not missing:
        return []  # as at each start but the first: where they belong takes a second to find out
    worker = await fetch_one(connection, QUERIES["first_grid_manager"])
    township = (await (await connection.execute(QUERIES["first_township"])).fetchone() or {}).get("grid_code")
    bound = {"dispatcher": township, "grid_worker": worker.get("grid_code")}
    made = []
    for role, title in missing.items():
        cell = bound.get(role)
        new = NewAccount(
            name=f"demo-{role}",
            display_name=f"{title}（演示）",
            role=role,
            city_wide=cell is None,
            grid_codes=[cell] if cell is not None else [],
            staff_number=f"DEMO-{role}" if role in ("administrator", "auditor") else None,
        )
        made.append(await make_account(connection, new, history, is_demo=True))
        if role == "grid_worker" and worker:
            from geo_grid.field import WorkerPerson, name_worker  # imported here: takes time, and is needed once

            person = WorkerPerson(person_name=worker["person_name"], phone=worker["phone"])
            await name_worker(connection, new.name, person)
    return made
