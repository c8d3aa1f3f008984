"""The answers about a point. Field names are relied on by clients (DESIGN, section 4)."""

from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, Field

from geo_grid.china_datums import shifted
from geo_grid.layers.response_circles import Why

type ZoneType = Literal["regular", "temporary"]
type CellKind = Literal["division", "basic", "dedicated"]


class Duty(BaseModel):
    """A person on duty in a grid cell."""

    duty_role: Literal["grid_lead", "grid_manager", "grid_assistant"]
    person_name: str
    phone: str


class OwningCell(BaseModel):
    """One grid cell of the chain that owns a point."""

    grid_code: str
    name: str
    grid_level: int
    level_name_zh: str
    level_name_en: str
    cell_kind: CellKind
    household_count: int | None
    households_estimated: bool = Field(description="the number was shared out by area; nobody counted it")
    area_m2: float
    grid_lead: str | None = Field(description="name of the grid lead, where the cell has one")
    duties: list[Duty]
    is_demo: bool


class OwningZone(BaseModel):
    """The patrol zone that owns a point."""

    zone_code: str
    name: str
    zone_type: ZoneType
    responsible_unit: str
    is_demo: bool


SEGMENT_REACH_M = 50.0
"""Longest distance in metres between a place and a segment that is responsible for it: both sides of a wide street. Our
choice, no official number exists."""


class NearSegment(BaseModel):
    """A patrol segment 巡段 near the point: a key road that is patrolled in addition to the zones."""

    zone_code: str
    name: str
    zone_type: ZoneType
    responsible_unit: str
    distance_m: float = Field(description="metres on the ellipsoid to its line, at most 50")
    is_demo: bool


class Response(BaseModel):
    """A post whose circle covers the point, with the fastest tier."""

    tier_minutes: Literal[1, 3, 5]
    post_code: str
    circle_basis: Literal["place_tier", "force_tier", "phase"]
    method: str
    estimated_because: Why | None = Field(
        description="why the circle is an estimate; null: it is none, or it is not known"
    )


class Alternative(BaseModel):
    """Another leaf cell within the positional error."""

    grid_code: str
    name: str
    distance_m: float


def drawn_at(lon: float, lat: float, crs: str) -> tuple[float, float]:
    """Convert lon, lat in degrees (CGCS2000) to the datum of a map (EPSG:4490, GCJ-02 or BD-09), to eight decimals."""
    if crs == "EPSG:4490":
        return lon, lat
    x, y = shifted(np.array([lon]), np.array([lat]), crs)
    return round(float(x[0]), 8), round(float(y[0]), 8)


class Location(BaseModel):
    """Who is responsible for a point."""

    point: tuple[float, float] = Field(description="lon, lat in degrees, as used; of the system that crs names")
    crs: Literal["EPSG:4490", "GCJ-02", "BD-09"] = Field(
        "EPSG:4490", description="of the coordinates in this answer: CGCS2000 unless another was asked for"
    )
    grid_cells: list[OwningCell] = Field(description="outermost to innermost")
    patrol_zone: OwningZone | None
    patrol_segments: list[NearSegment] = Field(description="within 50 m, nearest first; beside the zone")
    response: list[Response] = Field(description="fastest first")
    response_known: bool = Field(description="false: it was asked as of a former time, whose circles are not kept")
    distance_to_boundary_m: float | None = Field(description="to the nearest border of the innermost cell")
    alternatives: list[Alternative] = Field(description="other innermost cells within the positional error")
    edition: int | None = Field(description="edition of the boundaries that answered")
    unassigned: bool = Field(description="no grid cell covers the point")

    def drawn_in(self, crs: str) -> Self:
        """Return a copy with the point in the datum of a map; see `drawn_at`."""
        return self if crs == self.crs else self.model_copy(update={"point": drawn_at(*self.point, crs), "crs": crs})
