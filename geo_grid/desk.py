"""The dispatcher's one answer: everything about one point."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.locate import Location
from geo_grid.locate.answers import drawn_at
from geo_grid.response import Responder, Router, Travel, closures_around, rank
from geo_grid.workflow import Incident

QUERIES = load_queries("geo_grid", "desk.sql")
_SHOWN = 5


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
    sees: bool | None = Field(
        None,
        description="whether a camera sees the place, buildings and all; null: nobody knows where it looks, or no camera",
    )
    positioned_at: datetime | None = Field(
        None, description="when a camera that moves was here, five minutes ago at most; null: it stands here"
    )
    sight_note: str | None = Field(None, description="what can be seen from a camera, or cannot, as a person noted it")
    lon: float
    lat: float
    distance_m: float = Field(description="metres on the ellipsoid, in a straight line")
    is_demo: bool


class DeskCard(BaseModel):
    """Everything the dispatcher needs about one point, nearest first."""

    location: Location
    incident: Incident | None = None
    responders: list[Responder] = Field(
        description="posts and units by when they would be there; those free come first"
    )
    nearest_posts: list[Near]
    nearest_units: list[Near]
    nearest_cameras: list[Near] = Field(description="those that see the place go first, then the nearest")
    nearest_facilities: list[Near]


def drawn_in(card: DeskCard, crs: str) -> DeskCard:
    """Return a copy of a card with all places in the datum of a map (EPSG:4490, GCJ-02 or BD-09); its location names it."""
    if crs == card.location.crs:
        return card

    def moved[Placed: (Near, Responder, Incident)](one: Placed) -> Placed:
        lon, lat = drawn_at(one.lon, one.lat, crs)
        return one.model_copy(update={"lon": lon, "lat": lat})

    return card.model_copy(
        update={
            "location": card.location.drawn_in(crs),
            "incident": moved(card.incident) if card.incident else None,
            "responders": [moved(one) for one in card.responders],
            "nearest_posts": [moved(one) for one in card.nearest_posts],
            "nearest_units": [moved(one) for one in card.nearest_units],
            "nearest_cameras": [moved(one) for one in card.nearest_cameras],
            "nearest_facilities": [moved(one) for one in card.nearest_facilities],
        }
    )


class Surroundings(NamedTuple):
    """What is near a place, by kind, nearest first, and which roads are closed around it."""

    near: dict[str, list[dict[str, Any]]]
    closures: list[Any]


async def read_surroundings(connection: AsyncConnection, location: Location, everywhere: bool) -> Surroundings:
    """Read what is near a located place, in a transaction with the rights of the principal.

    Parameters
    ----------
    everywhere
        Whether the principal sees the whole city; if not, a place outside the principal's cells has nothing near it,
        as if it did not exist.
    """
    lon, lat = location.point
    near: dict[str, list[dict[str, Any]]] = {}
    is_asked = everywhere or not location.unassigned
    for name in ("posts", "units", "cameras", "facilities"):
        rows = await connection.execute(QUERIES[name], {"lon": lon, "lat": lat}) if is_asked else None
        near[name] = await rows.fetchall() if rows else []
    return Surroundings(near, await closures_around(connection, (lon, lat)) if is_asked else [])


async def desk_card(
    location: Location,
    around: Surroundings,
    router: Router,
    travel: Travel,
    now: datetime,
    incident: Incident | None = None,
) -> DeskCard:
    """Make the card of a place. No database connection is held while the road process computes arrival times.

    Parameters
    ----------
    around
        Of `read_surroundings`.
    router, travel
        Compute the arrival times of posts and units.
    now
        Current time in the city's time zone.
    """
    near, closures = around
    responders = await rank(router, travel, location.point, near["posts"] + near["units"], closures, now)
    return DeskCard.model_validate({
        "location": location, "incident": incident, "responders": responders,
        "nearest_posts": near["posts"][:_SHOWN], "nearest_units": near["units"][:_SHOWN],
        "nearest_cameras": near["cameras"], "nearest_facilities": near["facilities"],
    })  # fmt: skip
