"""Steering of a camera by whoever watches its picture: asked for here, sent by the process at the door of platforms."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, translated_errors
from geo_grid.errors import Conflict, Forbidden
from geo_grid.feeds.addresses import QUERIES
from geo_grid.gb28181 import tables

LONGEST_S = 5.0
"""Longest movement of one request; then the camera is told to stop."""
_WHY = {
    "kind": "this camera does not move, by its PTZType",
    "platform": "nobody is there to move this camera: its platform has to be registered over SIP",
}


class MovementAsked(BaseModel):
    """How a camera is to move; all 0: it stops."""

    model_config = ConfigDict(extra="forbid")

    pan: Literal[-1, 0, 1] = Field(0, description="-1: to the left; 1: to the right")
    tilt: Literal[-1, 0, 1] = Field(0, description="-1: down; 1: up")
    zoom: Literal[-1, 0, 1] = Field(0, description="-1: a wider picture; 1: a nearer one")
    speed: float = Field(0.5, gt=0, le=1, description="share of the fastest")
    lasts_s: float = Field(
        1.0, gt=0, le=LONGEST_S, description="then it is told to stop, unless it was told something else meanwhile"
    )

    @property
    def is_stop(self) -> bool:
        """Whether it is to stop."""
        return not (self.pan or self.tilt or self.zoom)


def steering_kinds() -> list[int]:
    """Return the values of PTZType of cameras that can be moved."""
    return [int(code) for code, kind in tables().ptz.items() if kind.steers]


def steers_values(camera_id: int) -> dict[str, Any]:
    """Return the parameters of the statement `steers`."""
    return {"camera_id": camera_id, "kinds": steering_kinds()}


async def can_steer(connection: AsyncConnection, camera_id: int) -> bool:
    """Say whether the principal can steer a camera now: by their right, its kind, and its platform."""
    return bool((await fetch_one(connection, QUERIES["steers"], steers_values(camera_id)))["steers"])


async def steer(connection: AsyncConnection, opening: int, camera_id: int, asked: MovementAsked) -> str | None:
    """Have a camera move whose opening the principal recorded, and record it; return why not, or None.

    What was refused is on record when the transaction is committed: raise `refusal_of` after it.
    """
    values = {"opening": opening, **steers_values(camera_id), **asked.model_dump()}
    if asked.is_stop:
        values["lasts_s"] = 0.0
    with translated_errors():
        row = await fetch_one(connection, QUERIES["steer"], values)
    why: str | None = row["why"]
    return why


def refusal_of(why: str) -> Conflict | Forbidden:
    """Return the error for what `steer` returned."""
    return Conflict(_WHY[why]) if why in _WHY else Forbidden("you may not steer this camera")
