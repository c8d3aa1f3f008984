"""GET, PUT and DELETE /loops: which stages a kind of matter goes through, as data."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.workflow import loops

router = APIRouter(tags=["incidents"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
Code = Annotated[loops.LoopCode, Path()]


class Loops(BaseModel):
    """All loops, those in use first."""

    loops: list[loops.KeptLoop]


@router.get("/loops")
async def get_loops(request: Request) -> Loops:
    """List the loops: their stages and names, which categories use them, how many open matters are in each."""
    async with reading(request) as database:
        return Loops(loops=await loops.list_loops(database))


@router.put("/loops/{loop_code}", responses={409: PROBLEM | {"description": "Open matters could not go on in it"}})
async def put_loop(request: Request, loop_code: Code, rules: loops.LoopRules) -> loops.KeptLoop:
    """Make a loop, change one, or bring one back that was retired; open matters follow it from their stage on."""
    async with writing(request) as database:
        return await loops.put_loop(database, loop_code, rules)


@router.delete("/loops/{loop_code}", responses={404: PROBLEM, 409: PROBLEM})
async def delete_loop(request: Request, loop_code: Code) -> loops.KeptLoop:
    """Retire a loop that no category uses; its open matters go on in it to their end."""
    async with writing(request) as database:
        return await loops.retire_loop(database, loop_code)
