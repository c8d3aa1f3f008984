"""/open311/v2: services and requests. The OpenAPI document leaves them out: GeoReport v2 describes them."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Header, Path, Query, Request, Response

from geo_grid.api.open311.forms import Format, answer, definition
from geo_grid.api.server.asking import file_incident, identity_of, reading
from geo_grid.api.server.parameters import Located, moment_of
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.errors import BadRequest, NotFound
from geo_grid.moments import AskedMoment
from geo_grid.workflow import report
from geo_grid.workflow.open311 import NewRequest, ServiceRequest, Wanted, matter_of, requests, services, span

router = APIRouter(prefix="/open311/v2", route_class=GuardedRoute, include_in_schema=False)

_MOST = 1000
_NOT_KEPT = frozenset({"email", "first_name", "last_name", "media_url", "device_id", "account_id"})
InFormat = Annotated[Format, Path(alias="format")]
Code = Annotated[str, Path(max_length=100)]


@router.get("/services.{format}")
async def get_services(request: Request, form: InFormat) -> Response:
    """List the kinds of matters that residents may report."""
    async with reading(request) as database:
        found = await services(database)
    return answer(form, "services", "service", [one.model_dump() for one in found])


@router.get("/services/{service_code}.{format}")
async def get_service(request: Request, service_code: Code, form: InFormat) -> Response:
    """Say what more is asked of a kind of matter: nothing."""
    async with reading(request) as database:
        (found,) = await services(database, service_code)
    return definition(form, found.service_code)


@router.get("/requests.{format}")
async def get_requests(
    request: Request,
    form: InFormat,
    service_request_id: Annotated[str | None, Query(max_length=20_000)] = None,
    service_code: Annotated[str | None, Query(max_length=4000)] = None,
    start_date: AskedMoment | None = None,
    end_date: AskedMoment | None = None,
    status: Annotated[str | None, Query(max_length=100)] = None,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
) -> Response:
    """List matters, newest first: those with these ids, or of a span of 90 days at most."""
    if service_request_id:
        wanted = Wanted(ids=[_number(one) for one in _listed(service_request_id)][:_MOST])
    else:
        since, until = span(moment_of(request, start_date), moment_of(request, end_date))
        codes = _listed(service_code) if service_code else None
        wanted = Wanted(None, codes, since, until, _is_closed(status), page_size, (page - 1) * page_size)
    async with reading(request) as database:
        found = await requests(database, wanted)
    return _requests(form, found)


@router.get("/requests/{service_request_id}.{format}")
async def get_request(request: Request, service_request_id: Code, form: InFormat) -> Response:
    """Read one matter."""
    async with reading(request) as database:
        found = await requests(database, Wanted(ids=[_number(service_request_id)]))
    if not found:
        message = f"service_request_id {service_request_id} was not found"
        raise NotFound(message)
    return _requests(form, found)


@router.post("/requests.{format}")
async def post_request(
    request: Request,
    form: InFormat,
    new: Annotated[NewRequest, Form()],
    locations: Located,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Store a matter. 201 means that it is committed; the id is in the answer, no token is needed."""
    seen = identity_of(request).seen
    async with reading(request) as database:
        matter = await matter_of(database, new)

    async def check(lon: float, lat: float) -> None:
        await locations.refuse_swapped(lambda: reading(request), seen, lon, lat)

    incident, created = await report(partial(file_incident, request), matter, idempotency_key, check)
    dropped = sorted(name for name, value in (await request.form()).items() if name in _NOT_KEPT and value)
    notice = f"未保存 not kept: {', '.join(dropped)}" if dropped else ""
    made = {"service_request_id": str(incident.incident_id), "service_notice": notice, "account_id": None}
    return answer(form, "service_requests", "request", [made], 201 if created else 200)


def _requests(form: Format, found: list[ServiceRequest]) -> Response:
    return answer(form, "service_requests", "request", [one.model_dump() for one in found])


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        message = f"service_request_id {text[:100]!r} was not found: ids are numbers"
        raise NotFound(message)
    return int(text)


def _is_closed(status: str | None) -> bool | None:
    wanted = set(_listed(status or "open,closed"))
    if not wanted <= {"open", "closed"}:
        message = "status is open, closed, or both with a comma"
        raise BadRequest(message)
    return None if len(wanted) != 1 else wanted == {"closed"}
