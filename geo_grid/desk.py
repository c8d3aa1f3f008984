"""The dispatcher's one answer: everything about one point."""

from datetime import datetime

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.locate import Location, Locations
from geo_grid.workflow import Incident, get

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
    connection: AsyncConnection,
    locations: Locations,
    lon: float,
    lat: float,
    at: datetime | None = None,
    positional_error_m: float = 10,
    incident: Incident | None = None,
) -> DeskCard:
    """Answer for a point: lon, lat in degrees, CGCS2000, on the lattice."""
    here = {"lon": lon, "lat": lat}
    near = {
        f"nearest_{name}": await (await connection.execute(QUERIES[name], here)).fetchall()
        for name in ("posts", "units", "cameras", "facilities")
    }
    location = await locations.locate(lon, lat, at, positional_error_m)
    return DeskCard.model_validate({"location": location, "incident": incident, **near})


async def desk_card_of_incident(
    connection: AsyncConnection, locations: Locations, incident_id: int, positional_error_m: float = 10
) -> DeskCard:
    """Answer for the place of an incident. Raises NotFound."""
    incident = await get(connection, incident_id)
    return await desk_card(connection, locations, incident.lon, incident.lat, None, positional_error_m, incident)
