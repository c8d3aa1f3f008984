"""What the living demo needs to know of its city, read once by the owner of the database, and the keys of its people."""

from dataclasses import asdict, dataclass
from typing import Any

from geo_grid.access.accounts import NewAccount, NewCredential, Role, add_account, issue_credential
from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict
from geo_grid.live_demo.people import DISPATCHERS, PEOPLE, SUPERVISOR, UNITS

QUERIES = load_queries("geo_grid.live_demo", "plan.sql")
_PLACES, _CAMERAS = 4000, 200
_LEAST_CALLS_A_DAY = 240.0
_ROLES: dict[str, Role] = {**dict.fromkeys((*DISPATCHERS, UNITS), "dispatcher"), SUPERVISOR: "supervisor"}


@dataclass(frozen=True)
class Plan:
    """The city as the living demo knows it; all of it can be written as JSON.

    Attributes
    ----------
    keys, numbers
        API key and account number of each of its people, by login name.
    nodes, roads
        Places in degrees (lon, lat), and pairs of their positions in that list with the speed in km/h.
    units
        unit_code, unit_kind, unit_status, lon, lat.
    places
        Where calls come from: lon, lat, category, subtype, address.
    cameras
        gb28181_id of those that go off and come back.
    """

    keys: dict[str, str]
    numbers: dict[str, int]
    nodes: list[tuple[float, float]]
    roads: list[tuple[int, int, float]]
    units: list[dict[str, Any]]
    places: list[dict[str, Any]]
    calls_a_day: float
    cameras: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as `Plan(**...)` takes it again."""
        return asdict(self)


async def is_demo_city(connection: AsyncConnection) -> bool:
    """Say whether the database holds the generated demo city and nothing else."""
    return bool((await fetch_one(connection, QUERIES["is_demo_city"], {}))["yes"])


async def make_plan(connection: AsyncConnection) -> Plan:
    """Read the city, and make the demo's people with new keys, in a transaction of the owner of the database.

    Raises
    ------
    Conflict
        This is not the demo city.
    """
    if not await is_demo_city(connection):
        message = "this city is not the demo: calls and units are made up in the generated demo city alone"
        raise Conflict(message)
    keys = await _keys(connection)
    names = {"names": list(PEOPLE)}
    numbers = {row["login_name"]: row["principal_id"] for row in await _all(connection, "numbers", names)}
    nodes = [(row["lon"], row["lat"]) for row in await _all(connection, "nodes")]
    number_of = {place: number for number, place in enumerate(nodes)}
    roads = [
        (number_of[row["lon"], row["lat"]], number_of[row["to_lon"], row["to_lat"]], row["speed_kmh"])
        for row in await _all(connection, "roads")
    ]
    calls = await fetch_one(connection, QUERIES["calls_a_day"], {})
    return Plan(
        keys, numbers, nodes, roads,
        units=await _all(connection, "units"),
        places=await _all(connection, "places", {"most": _PLACES}),
        calls_a_day=max(float(calls["number"]), _LEAST_CALLS_A_DAY),
        cameras=[row["gb28181_id"] for row in await _all(connection, "cameras", {"most": _CAMERAS})],
    )  # fmt: skip


async def register_pictures(connection: AsyncConnection, port: int) -> None:
    """Give the demo's cameras that have no address one on a port of the loopback (`pictures.py`)."""
    await connection.execute(QUERIES["put_host"], {"port": port})
    await connection.execute(QUERIES["put_addresses"])


async def _keys(connection: AsyncConnection) -> dict[str, str]:
    """Make the accounts that are missing, and a new key for each; former keys are worth nothing from then on."""
    names = {"names": list(PEOPLE)}
    known = {row["login_name"] for row in await _all(connection, "people", names)}
    for name, title in PEOPLE.items():
        if name not in known:
            new = NewAccount(kind="machine", name=name, display_name=title, role=_ROLES[name], city_wide=True)
            await add_account(connection, new, 1, is_demo=True)
    for name in ("revoke_keys", "forget_keys"):
        await connection.execute(QUERIES[name], names)
    label = "the living demo"
    return {
        name: (await issue_credential(connection, NewCredential(name=name, label=label, days=365)))[1]
        for name in PEOPLE
    }


async def _all(connection: AsyncConnection, name: str, values: dict[str, Any] | None = None) -> list[Any]:
    return await (await connection.execute(QUERIES[name], values)).fetchall()
