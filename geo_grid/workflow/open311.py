"""Residents' matters as GeoReport v2 (Open311, https://wiki.open311.org/GeoReport_v2/) has them: services and requests.

Its services are the categories that somebody else than the police answers (`answered_by` is grid or mediation): whoever
edits the catalogue decides what is offered.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import BadRequest, NotFound
from geo_grid.workflow.incidents import NewIncident

QUERIES = load_queries("geo_grid.workflow", "open311.sql")
LONGEST = timedelta(days=90)
"""Longest span of one query (GeoReport v2, GET service requests)."""
_OUTCOMES = {"solved": "已解决 solved", "not_solved": "未解决 not solved"}


class Service(BaseModel):
    """A kind of matter that residents may report."""

    service_code: str
    service_name: str
    description: str
    metadata: bool = False
    type: Literal["realtime", "batch", "blackbox"] = "realtime"
    keywords: str
    group: str


class ServiceRequest(BaseModel):
    """A matter, as whoever asks may see it: description and address are empty without the right to texts."""

    service_request_id: str
    status: Literal["open", "closed"]
    status_notes: str
    service_name: str
    service_code: str
    description: str
    agency_responsible: str
    service_notice: None = None
    requested_datetime: str
    updated_datetime: str
    expected_datetime: str | None
    address: str
    address_id: None = None
    zipcode: None = None
    lat: float
    long: float
    media_url: None = None


class NewRequest(BaseModel):
    """A matter as a resident's program sends it. What is not named here is not kept: names, e-mail, media, accounts."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    service_code: str = Field(min_length=1, max_length=100)
    lat: float | None = None
    long: float | None = None
    address_string: str = Field("", max_length=400)
    description: str = Field("", max_length=10_000)
    phone: str | None = Field(None, max_length=40)

    @field_validator("lat", "long", "phone", mode="before")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value


class Wanted(NamedTuple):
    """Which requests are asked for; ids alone count where they are given."""

    ids: Sequence[int] | None = None
    codes: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_closed: bool | None = None
    limit: int = 1000
    offset: int = 0


def span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return the span of a query, the last 90 days where nothing is said. Raises BadRequest: longer, or the wrong way round."""
    if since is None:
        until = until or datetime.now(UTC)
        return until - LONGEST, until
    until = until or min(since + LONGEST, max(since, datetime.now(UTC)))
    if not timedelta() <= until - since <= LONGEST:
        message = "end_date must not be before start_date, nor more than 90 days after it"
        raise BadRequest(message)
    return since, until


async def services(connection: AsyncConnection, code: str | None = None) -> list[Service]:
    """List the services, or the one with this code. Raises NotFound: there is none with it."""
    rows = await (await connection.execute(QUERIES["services"], {"code": code})).fetchall()
    if code is not None and not rows:
        message = f"service_code {code[:100]!r} was not found: services lists them"
        raise NotFound(message)
    return [
        Service(
            service_code=row["category_code"], service_name=row["name_zh"], description=row["name_en"],
            keywords=f"{row['name_zh']}, {row['name_en']}", group=row["answered_by"],
        )
        for row in rows
    ]  # fmt: skip


async def requests(connection: AsyncConnection, wanted: Wanted) -> list[ServiceRequest]:
    """Read requests, newest first."""
    if wanted.ids is not None:
        wanted = Wanted(ids=wanted.ids)
    rows = await connection.execute(QUERIES["requests"], wanted._asdict())
    return [_request(row) for row in await rows.fetchall()]


async def matter_of(connection: AsyncConnection, new: NewRequest) -> NewIncident:
    """Return what is to be stored of a request.

    Raises
    ------
    NotFound
        There is no such service.
    BadRequest
        No place is given: neither lat and long, nor the name of just one facility or cell.
    """
    (service,) = await services(connection, new.service_code)
    if new.lat is not None and new.long is not None:
        lon, lat = new.long, new.lat
    else:
        found = (await (await connection.execute(QUERIES["named"], {"name": new.address_string})).fetchall()) if new.address_string else []  # fmt: skip
        if len(found) != 1:
            message = "send lat and long: an address_string alone is a place only if it is the name of just one facility or grid cell"
            raise BadRequest(message)
        lon, lat = found[0]["lon"], found[0]["lat"]
    return NewIncident(
        lon=lon, lat=lat, source_crs="EPSG:4326", category=service.service_code, description=new.description,
        address=new.address_string, caller_number=new.phone,
    )  # fmt: skip


def _request(row: dict[str, Any]) -> ServiceRequest:
    notes = row["stage_zh"] or ""
    if row["closed_at"] is not None:
        notes = _OUTCOMES.get(row["outcome"] or "", "已办结 closed")
    if row["merged_into"] is not None:
        notes = f"并入 merged into {row['merged_into']}"
    return ServiceRequest(
        service_request_id=str(row["incident_id"]), status="open" if row["closed_at"] is None else "closed",
        status_notes=notes, service_name=row["service_name"], service_code=row["category"],
        description=row["description"], agency_responsible=row["has_it"] or "",
        requested_datetime=_moment(row["received_at"]), updated_datetime=_moment(row["updated_at"]),
        expected_datetime=_moment(row["expected_at"]) if row["expected_at"] else None,
        address=row["address"], lat=round(row["lat"], 8), long=round(row["lon"], 8),
    )  # fmt: skip


def _moment(moment: datetime) -> str:
    """Return a moment as W3C-DTF with seconds, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
