"""The state of cameras, apart from their place: reported in batches, and counted by cell, zone, owner and hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, with_config
from pydantic_core import to_json

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import UserError
from geo_grid.moments import Moment
from geo_grid.reported import Batch, Left, in_future

QUERIES = load_queries("geo_grid.cameras", "states.sql")
NO_SUCH_CAMERA = "there is no such camera"
_LONGEST = timedelta(hours=72)
_HOUR = timedelta(hours=1)

type State = Literal["online", "offline", "fault"]
type Grouping = Literal["cell", "zone", "owner", "network", "hour"]


@with_config(ConfigDict(extra="forbid", str_strip_whitespace=True))
class StateReport(TypedDict):
    """What a platform says of a camera; a dictionary, since thousands come each second and a model takes twice the time."""

    gb28181_id: Annotated[str, Field(min_length=1, max_length=32)]
    state: State
    since: NotRequired[
        Annotated[Moment | None, Field(description="since when, as the platform has it; now when not given")]
    ]


class TakenStates(BaseModel):
    """Result of a batch of reports."""

    changed: int = Field(description="cameras that are in another state now")
    same: int = Field(description="known already")
    late: int = Field(description="older than what is known")
    refused: list[Left]


def _batch(reports: Sequence[StateReport]) -> tuple[Batch[StateReport], dict[str, Any]]:
    problems = [in_future(one.get("since")) for one in reports]
    batch = Batch(reports, problems, [one["gb28181_id"] for one in reports], NO_SUCH_CAMERA)
    return batch, {"reports": to_json(batch.good).decode()}


def _taken(batch: Batch[StateReport], rows: Sequence[dict[str, Any]]) -> TakenStates:
    return TakenStates(**batch.taken(rows, ("changed", "same", "late")))


async def take_states(connection: AsyncConnection, reports: Sequence[StateReport]) -> TakenStates:
    """Write a batch of states in the caller's transaction; what is wrong is refused one by one, with the reason.

    Raises
    ------
    InsufficientPrivilege
        The principal may not report states (psycopg's; told as Forbidden).
    """
    batch, values = _batch(reports)
    return _taken(batch, await (await connection.execute(QUERIES["report"], values)).fetchall())


def write_states(connection: Connection, reports: Sequence[StateReport]) -> TakenStates:
    """Write a batch as `take_states` does, for imports and the command line."""
    batch, values = _batch(reports)
    return _taken(batch, connection.execute(QUERIES["report"], values).fetchall())


class CameraState(BaseModel):
    """The state of a camera that is not online."""

    gb28181_id: str
    state: State
    since: datetime
    lon: float
    lat: float


async def not_online(
    connection: AsyncConnection, box: tuple[float, float, float, float], most: int
) -> list[CameraState]:
    """Read the cameras in a box (west, south, east, north, degrees CGCS2000) that are reported as not online."""
    values = dict(zip(("west", "south", "east", "north"), box, strict=True)) | {"most": most}
    return [CameraState.model_validate(row) for row in await _rows(connection, "not_online", values)]


class Availability(BaseModel):
    """How many cameras of a group work."""

    key: str = Field(
        description="code of the cell or zone, name of the owner, code of the network, or the hour; empty: none"
    )
    name: str | None = None
    cameras: int
    online: float = Field(description="cameras that are online; by hour, on average over what is known of the hour")
    offline: float
    fault: float
    unknown: float = Field(description="nobody reported on them")


async def availability(
    connection: AsyncConnection,
    by: Grouping,
    level: int | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Availability]:
    """Count cameras by state.

    Parameters
    ----------
    level
        Of cells: the grid level; None: the innermost cells.
    since, until
        By hour: from the hour of the first to before the second; at most 72 hours. None: the last 24.

    Raises
    ------
    UserError
        The hours are not in order, or too many.
    """
    if by != "hour":
        parts = {name: sql.SQL(QUERIES.get(f"{name}_of_{by}", "")) for name in ("key", "name", "join")}
        found = await connection.execute(sql.SQL(QUERIES["now"]).format(**parts), {"level": level})
        return [Availability.model_validate(row) for row in await found.fetchall()]
    last = until or datetime.now(UTC)
    first = (since or last - 24 * _HOUR).replace(minute=0, second=0, microsecond=0)
    if not _HOUR <= last - first + _HOUR <= _LONGEST + 2 * _HOUR or last <= first:
        message = "since must come before until, by 72 hours at most"
        raise UserError(message)
    rows = await _rows(connection, "by_hour", {"since": first, "until": last})
    return [Availability.model_validate(row) for row in rows]


async def _rows(connection: AsyncConnection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    return await (await connection.execute(QUERIES[name], values)).fetchall()
