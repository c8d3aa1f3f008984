"""Facilities: mediation, governance centres, stations, volunteer teams, video conference, key places."""

from typing import Any, Literal

from pydantic import Field

from geo_grid.changes import Table
from geo_grid.db import AsyncConnection
from geo_grid.errors import Conflict, NotFound
from geo_grid.layers.layer import MOST_COUNTED, Layer, LayerRow, LocalCode, Name

FacilityKind = Literal[
    "mediation_organisation",
    "mediation_room",
    "governance_centre",
    "service_station",
    "volunteer_team",
    "video_conference_point",
    "school",
    "hospital",
    "town_hall",
    "key_place",
]


class FacilityRow(LayerRow):
    """One facility."""

    facility_code: LocalCode = Field(min_length=1, max_length=32)
    facility_kind: FacilityKind
    name: Name = Field(min_length=1, max_length=200)
    division_level: Literal["city", "county", "township", "village"] | None = None
    member_count: int | None = Field(None, ge=0, le=MOST_COUNTED)
    phone: str = ""
    source: str = ""


LAYER = Layer(
    name="facilities",
    title_zh="设施",
    title_en="Facilities",
    row=FacilityRow,
    key="facility_code",
    geometry_types=("Point",),
    stored_type="Point",
    drawn_from=(Table.FACILITIES,),
    is_editable=True,
)


async def find_facility(connection: AsyncConnection, facility_code: str) -> dict[str, Any]:
    """Return facility_id, facility_kind and division_level of the facility of a code, to say more of it.

    Raises
    ------
    NotFound
        There is no such facility.
    Conflict
        The code is that of two facilities.
    """
    found = await (await connection.execute(LAYER.query("of_code"), {"facility_code": facility_code})).fetchall()
    if not found:
        message = f"there is no facility {facility_code}: make it first (POST /collections/facilities/items)"
        raise NotFound(message)
    if len(found) > 1:
        message = f"{facility_code} was registered twice: remove one of both first"
        raise Conflict(message)
    return found[0]
