"""Loops 闭环 as data: which stages a kind of matter goes through, what the city calls them, and how it may be sent back."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

import psycopg
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound
from geo_grid.workflow.loop import STAGES, Loop, Stage

QUERIES = load_queries("geo_grid.workflow", "loops.sql")
_NOT_YOURS = "loops are the whole city's: somebody with the right workflow.rules in the whole city edits them"
FALLBACK = "six_steps"
"""The loop of matters whose category is not listed."""
_ALWAYS: tuple[Stage, ...] = ("reported", "accepted", "assigned", "handled")
_CHECKED: frozenset[Stage] = frozenset({"fed_back", "verified"})

LoopCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class NamedStage(BaseModel):
    """A stage, and what the city calls it in this loop."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    stage: Stage
    name_zh: Name
    name_en: Name


class LoopRules(BaseModel):
    """What is said of a loop."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name_zh: Name
    name_en: Name
    is_confirmed: bool = Field(False, description="whether the city said that it works so")
    return_within_s: int = Field(
        86400, ge=60, le=400 * 86400, description="seconds after it was assigned, in which a matter may be sent back"
    )
    most_returns: int = Field(2, ge=0, le=20, description="how often, until the level above decides")
    stages: list[NamedStage] = Field(
        description="in this order: reported, accepted, assigned, handled; then fed_back, verified or both; evaluated or not"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        given = tuple(one.stage for one in self.stages)
        if given != tuple(stage for stage in STAGES if stage in given):
            message = f"each stage once, in this order: {', '.join(STAGES)}"
            raise ValueError(message)
        if given[: len(_ALWAYS)] != _ALWAYS:
            message = f"every loop begins with {', '.join(_ALWAYS)}: they have actions and clocks of their own"
            raise ValueError(message)
        if not _CHECKED.intersection(given):
            message = "after handled comes fed_back or verified: whoever handles a matter does not close it alone"
            raise ValueError(message)
        return self

    def loop(self) -> Loop:
        """Return its rule."""
        within = timedelta(seconds=self.return_within_s)
        return Loop(tuple(one.stage for one in self.stages), within, self.most_returns)


class KeptLoop(LoopRules):
    """A loop of the table."""

    loop_code: str
    retired_at: datetime | None = Field(description="no category takes it since then; null: it is in use")
    categories: list[str] = Field(description="codes of those whose new matters go through it")
    open: int | None = Field(description="open matters in it; null: told to those who may edit loops in the whole city")


async def list_loops(connection: AsyncConnection) -> list[KeptLoop]:
    """List the loops, those that are in use first."""
    rows = await connection.execute(QUERIES["all"], {"loop_code": None})
    return [KeptLoop.model_validate(row) for row in await rows.fetchall()]


async def get_loop(connection: AsyncConnection, code: str) -> KeptLoop:
    """Read one loop. Raises NotFound."""
    row = await fetch_one(connection, QUERIES["all"], {"loop_code": code})
    if not row:
        message = f"there is no loop {code!r}: GET /loops lists them"
        raise NotFound(message)
    return KeptLoop.model_validate(row)


async def put_loop(connection: AsyncConnection, code: str, rules: LoopRules) -> KeptLoop:
    """Make a loop, change one, or bring one back that was retired.

    Raises
    ------
    Conflict
        Open matters could not go on: they are at a stage that would go, or that would be past their end; or another loop has
        the name.
    Forbidden
        The caller may not, in the whole city.
    """
    key = {"loop_code": code}
    try:
        before = await _held(connection, code)
        if before is not None and before.loop().stages != rules.loop().stages:
            await _refuse_stranding(connection, before, rules.loop())
        await connection.execute(QUERIES["put"], {**rules.model_dump(), **key})
        if before is None or before.stages != rules.stages:
            await connection.execute(QUERIES["clear_stages"], key)
            values: dict[str, Any] = {
                "stages": [one.stage for one in rules.stages],
                "names_zh": [one.name_zh for one in rules.stages],
                "names_en": [one.name_en for one in rules.stages],
            }
            await connection.execute(QUERIES["put_stages"], {**key, **values})
    except psycopg.errors.UniqueViolation:
        message = f"another loop is called {rules.name_zh}"
        raise Conflict(message) from None
    except psycopg.errors.InsufficientPrivilege:
        raise Forbidden(_NOT_YOURS) from None
    return await get_loop(connection, code)


async def retire_loop(connection: AsyncConnection, code: str) -> KeptLoop:
    """Take a loop out of use: no category takes it any more, and its open matters go on in it to their end.

    Raises
    ------
    NotFound
        There is no such loop.
    Conflict
        Categories use it, or matters that have no listed category.
    Forbidden
        The caller may not, in the whole city.
    """
    loop = await get_loop(connection, code)
    if await _held(connection, code) is None:
        raise Forbidden(_NOT_YOURS)
    loop = await get_loop(connection, code)
    if code == FALLBACK:
        message = f"{code} stays: matters whose category is not listed go through it"
        raise Conflict(message)
    if loop.categories:
        message = f"the categories {', '.join(loop.categories)} use this loop: give them another one first"
        raise Conflict(message)
    await connection.execute(QUERIES["retire"], {"loop_code": code})
    return await get_loop(connection, code)


async def _held(connection: AsyncConnection, code: str) -> KeptLoop | None:
    """Lock a loop, and read it; None: there is none that the caller may change."""
    held = await connection.execute(QUERIES["hold"], {"loop_code": code})
    return await get_loop(connection, code) if held.rowcount else None


async def _refuse_stranding(connection: AsyncConnection, before: KeptLoop, after: Loop) -> None:
    """Raise Conflict if matters that go on are at a stage from which they could not, in the loop as it is to be."""
    past = set(after.stages[after.stages.index(after.closing) :])
    rows = await connection.execute(QUERIES["going_on"], {"loop_code": before.loop_code})
    for row in await rows.fetchall():
        stage, count = row["stage"], row["matters"]
        if stage in after.stages and stage not in past:
            continue
        called = next((one.name_en for one in before.stages if one.stage == stage), stage)
        why = "ends at" if stage in past else "has no more"
        message = (
            f"{count} open matters are at the stage {stage} ({called}), which the changed loop {why}: bring them on or back"
            " first, or make another loop and give it to the categories, which leaves open matters as they are"
        )
        raise Conflict(message)
