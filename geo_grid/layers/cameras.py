"""Cameras 摄像机: their positions and fields of view; passwords and images are never stored."""

import hashlib
import re
from typing import ClassVar

from pydantic import Field, field_validator

from geo_grid.changes import Table
from geo_grid.layers.layer import Layer, LayerRow

_LOCAL = re.compile(r"LOCAL-[0-9A-Za-z._-]{1,26}", re.ASCII)


def local_id(name: str, lon: float, lat: float) -> str:
    """Return the local ID of a camera without a national one: the same for the same name and place."""
    return f"LOCAL-{hashlib.sha256(f'{name} {lon:.8f} {lat:.8f}'.encode()).hexdigest()[:12]}"


def is_local(gb28181_id: str) -> bool:
    """Say whether an ID is a local one, which a national one may replace."""
    return _LOCAL.fullmatch(gb28181_id) is not None


class CameraRow(LayerRow):
    """One camera by its GB/T 28181 device ID, or until it has one, by a local ID that begins with LOCAL-."""

    gb28181_id: str = ""
    name: str = Field(min_length=1, max_length=200)
    ptz_type: int | None = Field(None, ge=1, le=7)
    room_type: int | None = Field(None, ge=1, le=2)
    azimuth_deg: float | None = Field(None, ge=0, lt=360)
    fov_deg: float | None = Field(None, gt=0, le=360)
    range_m: float | None = Field(None, gt=0)
    org_code: str = ""
    is_secret: bool = False
    is_online: bool = True

    defaults: ClassVar[dict[str, str]] = {"name": "gb28181_id"}

    @field_validator("gb28181_id")
    @classmethod
    def _well_formed(cls, value: str) -> str:
        if not value or is_local(value):
            return value
        # centre 8 + industry 2 + type 3 + network 1 + serial 6; 131 camera, 132 IP camera
        if len(value) != 20 or not value.isascii() or not value.isdigit():
            message = "a GB/T 28181 device ID has 20 digits; a local one begins with LOCAL-, such as LOCAL-CC-001"
            raise ValueError(message)
        if value[10:13] not in ("131", "132"):
            message = f"digits 11-13 are {value[10:13]}, which is not a camera (131) or IP camera (132)"
            raise ValueError(message)
        return value


LAYER = Layer(
    name="cameras",
    title_zh="摄像机",
    title_en="Cameras",
    row=CameraRow,
    key="gb28181_id",
    geometry_types=("Point",),
    stored_type="Point",
    is_assigned=True,
    drawn_from=(Table.CAMERAS,),
    is_editable=True,
)
