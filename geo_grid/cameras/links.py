"""How it stands with platforms that register over SIP: written by the process at the door, read by metrics and the doctor."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from geo_grid.cameras.positions import CameraPosition, take_camera_positions
from geo_grid.cameras.states import StateReport, take_states
from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.gb28181 import DIGITS
from geo_grid.gb28181.codes import tables
from geo_grid.gb28181.sip import Refusal
from geo_grid.reported import MOST_AT_ONCE

QUERIES = load_queries("geo_grid.cameras", "links.sql")
MOST_PLATFORMS = 1000
_MOST_REFUSALS = 500
_LONGEST_TROUBLE, _LONGEST_NOTE = 1000, 2000
_SILENT_S = 60.0


@dataclass
class LinkNote:
    """How it stands with a platform. None: nothing new to say."""

    platform_code: str
    is_online: bool = False
    transport: str | None = None
    registered_at: datetime | None = None
    heard_at: datetime | None = None
    subscribed_until: datetime | None = None
    queried_at: datetime | None = None
    announced: int | None = None
    received: int | None = None
    whole_at: datetime | None = None
    imported: int | None = None
    refused: int | None = None
    trouble: str = ""
    note: str = ""


async def note_links(connection: AsyncConnection, notes: Sequence[LinkNote]) -> None:
    """Write down how it stands with platforms."""
    for one in notes:
        values = asdict(one)
        values |= {"trouble": one.trouble[:_LONGEST_TROUBLE], "note": one.note[:_LONGEST_NOTE]}
        await connection.execute(QUERIES["note"], values)


async def note_refusals(connection: AsyncConnection, refusals: Sequence[Refusal]) -> None:
    """Add up what was refused; of very many names the newest are kept."""
    if refusals:
        values = {
            "ids": [one.gb28181_id for one in refusals], "whys": [one.why for one in refusals],
            "addresses": [one.address[:64] for one in refusals], "counts": [one.count for one in refusals],
        }  # fmt: skip
        await connection.execute(QUERIES["refused"], values)
        await connection.execute(QUERIES["bound"], {"most": _MOST_REFUSALS})


async def report_of_platform(
    connection: AsyncConnection, platform_code: str, told: Sequence[tuple[str, StateReport]]
) -> int:
    """Write states that a platform tells, of its own cameras alone, and return how many cameras are in another state now.

    Parameters
    ----------
    told
        Device and its state; with a device that is no camera go the cameras that have it among their parents.
    """
    changed = 0
    for start in range(0, len(told), MOST_AT_ONCE):
        part = told[start : start + MOST_AT_ONCE]
        devices = {number: device for number, (device, _) in enumerate(part, 1) if not is_camera(device)}
        rows = await _meant(connection, platform_code, [device for device, _ in part], devices)
        reports = [part[row["number"] - 1][1] | {"gb28181_id": row["gb28181_id"]} for row in rows]
        changed += await _write(connection, reports)
    return changed


async def move_cameras(
    connection: AsyncConnection, platform_code: str, told: Sequence[CameraPosition]
) -> list[tuple[str, str]]:
    """Write positions that a platform tells, of its own cameras alone; return those that were refused: camera, and why.

    Parameters
    ----------
    told
        By device; with one that is no camera of the register, such as the recorder of a vehicle, go the cameras that have it
        among their parents.
    """
    rows = await _meant(connection, platform_code, [one.gb28181_id for one in told], {})
    known = {row["number"] for row in rows}
    carriers = {
        number: one.gb28181_id
        for number, one in enumerate(told, 1)
        if number not in known and _is_device(one.gb28181_id)
    }
    rows += await _meant(connection, platform_code, [], carriers) if carriers else []
    positions = [told[row["number"] - 1].model_copy(update={"gb28181_id": row["gb28181_id"]}) for row in rows]
    refused: list[tuple[str, str]] = []
    for start in range(0, len(positions), MOST_AT_ONCE):
        part = positions[start : start + MOST_AT_ONCE]
        taken = await take_camera_positions(connection, part)
        refused += [(part[one.number - 1].gb28181_id, one.reason) for one in taken.refused]
    return refused


async def all_offline(connection: AsyncConnection, platform_code: str, since: datetime) -> int:
    """Report all cameras of a platform as offline, which is gone itself; return how many were not."""
    rows = await (await connection.execute(QUERIES["all_of"], {"code": platform_code})).fetchall()
    return await _write(
        connection, [StateReport(gb28181_id=row["gb28181_id"], state="offline", since=since) for row in rows]
    )


async def _write(connection: AsyncConnection, reports: Sequence[StateReport]) -> int:
    changed = 0
    for start in range(0, len(reports), MOST_AT_ONCE):
        changed += (await take_states(connection, reports[start : start + MOST_AT_ONCE])).changed
    return changed


async def _meant(
    connection: AsyncConnection, platform_code: str, ids: Sequence[str], devices: dict[int, str]
) -> list[dict[str, Any]]:
    """Read which cameras of a platform ids mean, each with the number of its id from 1.

    Parameters
    ----------
    devices
        By number, those with which cameras go that have them among their parents.
    """
    values = {
        "code": platform_code, "ids": list(ids), "devices": list(devices.values()), "numbers": list(devices),
    }  # fmt: skip
    return await (await connection.execute(QUERIES["meant"], values)).fetchall()


def _is_device(device_id: str) -> bool:
    """Whether digits 11-13 say that something is a device: people, platforms and groups are 200 and more."""
    return len(device_id) == DIGITS and "111" <= device_id[10:13] <= "199"


def is_camera(device_id: str) -> bool:
    """Whether digits 11-13 say that a device is a camera, as far as the tables know."""
    kind = tables().types.get(device_id[10:13]) if len(device_id) == DIGITS else None
    return kind is not None and kind.is_camera is not False


@dataclass(frozen=True)
class LinksNow:
    """How it stands with each platform, the door (None: there is none), and refusals by reason."""

    links: Sequence[dict[str, Any]]
    door: dict[str, Any] | None
    refusals: dict[str, int]


async def links_now(connection: AsyncConnection) -> LinksNow:
    """Read how it stands with platforms, as far as whoever asks may see it."""
    links = await (await connection.execute(QUERIES["now"])).fetchall()
    door = await (await connection.execute(QUERIES["door"])).fetchone()
    refusals = await (await connection.execute(QUERIES["refusals"])).fetchall()
    return LinksNow(links, door, {row["why"]: row["refused"] for row in refusals})


def examine_platforms(connection: Connection, wanted_id: str | None) -> tuple[bool, str]:
    """Return whether all is well with platforms that register over SIP, and a sentence (as the database's owner).

    Parameters
    ----------
    wanted_id
        Our own SIP id by the settings; None: the door is not wanted.
    """
    door = connection.execute(QUERIES["door"]).fetchone()
    if wanted_id is None:
        return True, "none may register over SIP: GEO_GRID_SIP_ID and GEO_GRID_SIP_PORT are not set"
    if door is None or door["seen_s"] > _SILENT_S:
        return False, "nobody listens to them: geo-grid up, or geo-grid cameras listen, with these settings"
    links = connection.execute(QUERIES["now"]).fetchall()
    troubled = [f"{row['platform_code']}: {row['trouble']}" for row in links if row["trouble"]]
    online = sum(row["is_online"] for row in links)
    found = [f"listening as {door['gb28181_id']} on port {door['port']}; {online} of {len(links)} online", *troubled]
    refusals = connection.execute(QUERIES["refusals_by_name"], {"most": 5}).fetchall()
    found += [
        f"refused {row['refused']:,} times: {row['gb28181_id'] or 'no name'} from {row['address']} ({row['why']})"
        for row in refusals
    ]
    return not troubled, "; ".join(found)
