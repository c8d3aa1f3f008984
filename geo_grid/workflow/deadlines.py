"""Deadlines: limits as data, the sweep that notes warnings and breaches, and what is due.

The database keeps the deadlines of each incident (`schema/deadlines.sql`), whoever writes it.
"""

from datetime import datetime
from typing import Annotated, Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import Conflict, NotFound, UserError
from geo_grid.layers.incidents import Step

QUERIES = load_queries("geo_grid.workflow", "deadlines.sql")
_AT_ONCE = 2_000
"""Most incidents of one sweep: a transaction of some tenths of a second."""
_LONGEST_WAIT_S = 5.0
"""Longest time between two sweeps, in seconds: an incident that was just reported may be due before those that were known."""
Target = Literal["accept", "arrive", "settle"]
Limit = Annotated[int | None, Field(ge=1, le=400 * 86400, description="seconds; null: no limit")]


class Policy(BaseModel):
    """Limits 时限 of the incidents that it names; null in category, urgency, grid_level, area_type: any.

    The policy that names most of the four wins; of as many, the one with a category before that with an urgency, a level, an
    area type. No two policies name the same.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name_zh: Annotated[str, Field(min_length=1, max_length=100)]
    name_en: Annotated[str, Field(min_length=1, max_length=100)]
    category: Annotated[str | None, Field(max_length=32, description="code of a category")] = None
    urgency: Literal["red", "yellow", "blue", "normal"] | None = None
    grid_level: Annotated[
        int | None,
        Field(ge=0, le=9, description="that has it: of the cell that owns it, or the level it rose to; 0: the city"),
    ] = None
    area_type: Annotated[
        Literal["division", "basic", "dedicated"] | None, Field(description="cell_kind of that cell")
    ] = None
    schedule_code: Annotated[
        str | None, Field(max_length=32, description="limits are of these working hours; null: of day and night")
    ] = None
    accept_s: Limit = None
    arrive_s: Limit = None
    settle_s: Limit = None
    warn_percent: Annotated[
        int | None, Field(ge=1, le=99, description="a warning is given when so much of a limit has passed")
    ] = None
    is_confirmed: bool = Field(False, description="whether the city said that it works so")


class KeptPolicy(Policy):
    """Limits of the table."""

    policy_code: str


class Deadline(BaseModel):
    """An open incident and the first deadline that it has not met; lon, lat in degrees (EPSG:4490)."""

    incident_id: int
    category: str
    step: Step
    grid_code: str | None
    received_at: datetime
    policy_code: str | None
    due_at: datetime
    due_for: Target
    warn_at: datetime | None
    is_warned: bool
    is_overdue: bool
    lon: float
    lat: float


async def policies(connection: AsyncConnection) -> list[KeptPolicy]:
    """Read all policies, those that win first."""
    rows = await connection.execute(QUERIES["policies"])
    return [KeptPolicy.model_validate(row) for row in await rows.fetchall()]


async def set_policy(connection: AsyncConnection, policy_code: str, policy: Policy) -> KeptPolicy:
    """Make a policy, or replace it; the deadlines of open incidents follow within seconds.

    Raises
    ------
    Conflict
        Another policy is for the same incidents.
    UserError
        There is no such category or working hours.
    """
    kept = KeptPolicy(**policy.model_dump(), policy_code=policy_code)
    try:
        await connection.execute(QUERIES["set_policy"], kept.model_dump())
    except psycopg.errors.UniqueViolation:
        message = "another policy is for the same category, urgency, level and area type: change that one"
        raise Conflict(message) from None
    except psycopg.errors.ForeignKeyViolation as error:
        message = (
            f"there is no category {policy.category}: GET /incidents/categories lists them"
            if "category" in str(error.diag.constraint_name)
            else f"there are no working hours {policy.schedule_code}: GET /deadlines/schedules lists them"
        )
        raise UserError(message) from None
    return kept


async def remove_policy(connection: AsyncConnection, policy_code: str) -> None:
    """Remove a policy; the deadlines of open incidents follow within seconds. Raises NotFound."""
    found = await connection.execute(QUERIES["remove_policy"], {"policy_code": policy_code})
    if await found.fetchone() is None:
        message = f"there is no policy {policy_code}: GET /deadlines/policies lists them"
        raise NotFound(message)


async def open_deadlines(
    connection: AsyncConnection, limit: int = 100, before: datetime | None = None, after: int | None = None
) -> list[Deadline]:
    """Read incidents by their first deadline that is not met.

    Parameters
    ----------
    before
        Only deadlines before this moment; None: all.
    after
        Last incident_id of the page before.
    """
    asked = {"limit": limit, "before": before, "after_id": after}
    rows = await connection.execute(QUERIES["open"], asked)
    return [Deadline.model_validate(row) for row in await rows.fetchall()]


def sweep(connection: Connection, moment: datetime, most: int = _AT_ONCE) -> tuple[int, float]:
    """Note warnings and breaches until a moment, each once, of at most so many incidents.

    Servers that sweep at the same time share them. Each incident that is swept is told to those who listen for events.

    Returns
    -------
    How many incidents were swept, and the seconds after which to sweep again.
    """
    row = connection.execute(QUERIES["sweep"], {"moment": moment, "most": most}).fetchone() or {}
    wait_s = _LONGEST_WAIT_S if row["next_s"] is None else min(_LONGEST_WAIT_S, max(0.0, row["next_s"]))
    return int(row["swept"]), 0.0 if row["swept"] == most else wait_s
