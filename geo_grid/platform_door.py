"""The door of lower platforms (GB/T 28181 over SIP): a process of its own, beside the server and without it."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from geo_grid.cameras.link import Timing
from geo_grid.cameras.lower_platforms import LowerPlatforms, Taken
from geo_grid.confined import Confined
from geo_grid.db import open_pool
from geo_grid.errors import UserError
from geo_grid.gb28181.sip import Identity
from geo_grid.settings import Settings

_CONNECTIONS, _WAITING = 2, 1000


def identity_of(settings: Settings) -> Identity:
    """Return our own SIP id. Raises UserError: there is none, and so no door."""
    if settings.sip_id is None or not settings.sip_port:
        message = "no platform may register: name our own SIP id (20 digits) and a port with GEO_GRID_SIP_ID and GEO_GRID_SIP_PORT"
        raise UserError(message)
    return Identity(settings.sip_id, ZoneInfo(settings.timezone))


async def keep_door(settings: Settings, conninfo: str, opened: Callable[[int], None]) -> None:
    """Listen to platforms until it is cancelled.

    Parameters
    ----------
    conninfo
        Of the owner of the database.
    opened
        Called with the port once it is open.

    Raises
    ------
    SetupError
        The port is in use, or not permitted.
    UserError
        See `identity_of`.
    """
    identity = identity_of(settings)
    folder = settings.state_dir / "catalogues"
    timing = Timing(lost_s=settings.sip_lost_s, every_s=settings.sip_catalogue_h * 3600)
    async with (
        Confined.opened(1, _WAITING, settings.solver_memory_mb, settings.solver_timeout_s) as confined,
        open_pool(conninfo, _CONNECTIONS, settings.work_timeout_s) as pool,
    ):
        take = partial(_take, confined, conninfo, settings.timezone)
        platforms = LowerPlatforms(identity, pool, settings.sip_netrc, folder, take, timing)
        async with platforms.listening(settings.sip_host, settings.sip_port) as sockets:
            opened(sockets.port)
            await asyncio.Event().wait()


async def _take(
    confined: Confined, conninfo: str, timezone: str, path: Path, platform_code: str, is_whole: bool
) -> Taken:
    async with confined.turn() as turn:
        return await turn.do(_take_apart, conninfo, path, platform_code, is_whole, timezone)


def _take_apart(conninfo: str, path: Path, platform_code: str, is_whole: bool, timezone: str) -> Taken:
    from geo_grid.exchange.catalogues import take_catalogue  # here: the door itself needs none of what it imports

    return take_catalogue(conninfo, path, platform_code, is_whole, timezone)
