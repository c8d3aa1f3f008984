"""GET /overview: what the home page shows of the city, and what waits for whoever looks."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request

from geo_grid.api.server.asking import account_of, identity_of, viewing
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import MAPS
from geo_grid.exchange import uploads
from geo_grid.overview import CityNow, Overview, overview
from geo_grid.response.live import Snapshot

router = APIRouter(tags=["desk"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_MINUTES = 5


@router.get("/overview")
async def get_overview(request: Request, settings: Configured) -> Overview:
    """Return the state of the city in a few numbers, and what waits for whoever asks, within their rights."""
    identity = identity_of(request)
    async with viewing(request) as database:
        told = await overview(database, identity.rights, datetime.now(ZoneInfo(settings.timezone)))
    if "map" in identity.rights:
        await _reach(request, told.city)
    if "layers.write" in identity.rights:
        told.waiting.imports = uploads.count_waiting(settings.state_dir / "imports", identity.principal_id)
    return told


async def _reach(request: Request, city: CityNow) -> None:
    """Add the share that free units reach, which a thread of the server keeps up to date while somebody asks."""
    snapshot: Snapshot | None = server_of(request).live.read()
    if snapshot is None:
        return
    groups = await MAPS.run(account_of(request), snapshot.groups, "city", identity_of(request).seen.only_cells)
    share = next((one for group in groups for one in group.tiers if one.tier_minutes == _MINUTES), None)
    city.reached, city.is_reckoned = (share.households if share else None), True
