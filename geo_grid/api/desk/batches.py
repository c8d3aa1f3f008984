"""POST /incidents/batch: many incidents in one request, each stored or refused by itself."""

import asyncio
import itertools
from functools import partial
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geo_grid.api.server.asking import file_incident, identity_of, reading
from geo_grid.api.server.parameters import Located, known_crs
from geo_grid.api.server.problems import PROBLEM_RESPONSES, Problem, problem_as_data
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.errors import GeoGridError
from geo_grid.workflow import TOGETHER, NewIncident, prepare, store

router = APIRouter(tags=["incidents"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

MOST = 500
LARGEST_BODY = 4 << 20
MOST_VALUES = 100_000
"""Commas of a body: half a thousand incidents of a dozen fields, with commas in their texts."""


class Row(BaseModel):
    """An incident with a key of its own, by which it is stored once however often it is sent."""

    model_config = ConfigDict(extra="forbid")

    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)]
    incident: Annotated[dict[str, Any], Field(description="as the body of POST /incidents")]


class Batch(BaseModel):
    """Incidents to be stored, in this order."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[Row], Field(min_length=1, max_length=MOST)]


class Result(BaseModel):
    """What became of a row."""

    idempotency_key: str
    status: int = Field(description="what POST /incidents would have answered: 201, 200 (stored before), 4xx, 503")
    incident_id: int | None = None
    grid_code: str | None = None
    problem: Problem | None = None


class Results(BaseModel):
    """What became of each row, in the order of the rows."""

    stored: int
    repeated: int = Field(description="stored before under the same key")
    refused: int
    results: list[Result]


@router.post("/incidents/batch")
async def post_batch(request: Request, batch: Batch, locations: Located) -> Results:
    """Store incidents, each or not at all: 200 says nothing but that every row has its result.

    When the connection is lost, rows may or may not have been stored: send the same rows with the same keys again, and each
    is stored once. A row that is refused holds up no other; once the database cannot be reached, the rest is not tried (503).
    """
    seen = identity_of(request).seen
    results: list[Result] = []
    unavailable: Problem | None = None

    async def check(lon: float, lat: float) -> None:
        await locations.refuse_swapped(lambda: reading(request), seen, lon, lat)

    async def prepared(row: Row) -> dict[str, Any] | Problem:
        try:
            new = NewIncident.model_validate(row.incident)
            await known_crs(request, new.source_crs)
            return await prepare(new, row.idempotency_key, check)
        except (GeoGridError, ValidationError, psycopg.Error) as error:
            return problem_as_data(error)

    async def result(row: Row, asked: dict[str, Any] | Problem) -> Result:
        if isinstance(asked, Problem):
            return _refused(row, asked)
        try:
            incident, is_new = await store(partial(file_incident, request), asked)
        except (GeoGridError, psycopg.Error) as error:
            return _refused(row, problem_as_data(error))
        stored = {"incident_id": incident.incident_id, "grid_code": incident.grid_code}
        return Result(idempotency_key=row.idempotency_key, status=201 if is_new else 200, **stored)

    for rows in itertools.batched(batch.rows, TOGETHER):
        if unavailable is None:
            ready = [(row, await prepared(row)) for row in rows]
            results += await asyncio.gather(*(result(*one) for one in ready))  # they are stored in this order
            problems = (one.problem for one in results[-len(rows) :] if one.problem)
            unavailable = next((one for one in problems if one.status >= 500 or one.status == 429), None)
        else:
            results += [_refused(row, unavailable) for row in rows]
    statuses = [one.status for one in results]
    return Results(
        stored=statuses.count(201),
        repeated=statuses.count(200),
        refused=sum(status >= 400 for status in statuses),
        results=results,
    )


def _refused(row: Row, problem: Problem) -> Result:
    return Result(idempotency_key=row.idempotency_key, status=problem.status, problem=problem)
