"""The dispatcher's one answer: everything about one point."""

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.locate import Location
from geo_grid.workflow import Incident

QUERIES = load_queries("geo_grid", "desk.sql")


class Near(BaseModel):
    """Something near the point."""

    code: str
    name: str
    kind: str | None = None
    status: str | None = None
    responsible_unit: str | None = None
    phone: str | None = None
    azimuth_deg: float | None = Field(None, description="direction a camera looks toward, clockwise from north")
    fov_deg: float | None = None
    range_m: float | None = None
    lon: float
    lat: float
    distance_m: float = Field(description="metres on the ellipsoid, in a straight line")
    is_demo: bool


class DeskCard(BaseModel):
    """Everything the dispatcher needs about one point, nearest first."""

    location: Location
    incident: Incident | None = None
    nearest_posts: list[Near]
    nearest_units: list[Near]
    nearest_cameras: list[Near]
    nearest_facilities: list[Near]


async def desk_card(
    connection: AsyncConnection, location: Location, everywhere: bool, incident: Incident | None = None
) -> DeskCard:
    """Answer for a place whose owners are known, in a transaction on behalf of whoever asks.

    Parameters
    ----------
    everywhere
        Whether they see the whole city; else a place that is not theirs has nothing near it, like one that
        does not exist.
    """
    lon, lat = location.point
    near = {}
    for name in ("posts", "units", "cameras", "facilities"):
        asked = everywhere or not location.unassigned
        rows = await connection.execute(QUERIES[name], {"lon": lon, "lat": lat}) if asked else None
        near[f"nearest_{name}"] = await rows.fetchall() if rows else []
    return DeskCard.model_validate({"location": location, "incident": incident, **near})
