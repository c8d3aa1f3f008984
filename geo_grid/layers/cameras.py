"""Cameras 摄像机: the register of their positions and fields of view; passwords and images are never stored."""

import hashlib
import re
from typing import ClassVar

from pydantic import Field, field_validator

from geo_grid.changes import Table
from geo_grid.errors import UserError
from geo_grid.gb28181 import DeviceId, refuse_no_camera
from geo_grid.layers.layer import Layer, LayerRow
from geo_grid.passwords import without_passwords

_LOCAL = re.compile(r"LOCAL-[0-9A-Za-z._-]{1,26}", re.ASCII)
_FORBIDDEN = re.compile(
    "客房|宿舍|厕所|卫生间|洗手间|更衣室|浴室|试衣间|guest ?room|dormitor|toilet|changing ?room", re.IGNORECASE
)
"""Places where no camera may be (State Council Order 799, article 8 as DOMAIN.md has it), as they are called."""
_OUTSIDE = re.compile("门口|门前|楼前|楼下|楼外|外墙|外侧|外围|大门|入口|出口|门外|东侧|南侧|西侧|北侧|旁|路口")
"""Words by which a name says that the camera is before or beside such a place, not in it."""


def local_id(name: str, lon: float, lat: float) -> str:
    """Return the local ID of a camera without a national one: the same for the same name and place."""
    return f"LOCAL-{hashlib.sha256(f'{name} {lon:.8f} {lat:.8f}'.encode()).hexdigest()[:12]}"


def is_local(gb28181_id: str) -> bool:
    """Say whether an ID is a local one, which a national one may replace."""
    return _LOCAL.fullmatch(gb28181_id) is not None


def forbidden_place(text: str) -> str | None:
    """Return the word by which a name or a purpose says that a camera is where none may be; None: it does not."""
    found = _FORBIDDEN.search(text)
    return found[0] if found and not _OUTSIDE.search(text, found.end()) else None


class CameraRow(LayerRow):
    """One camera by its GB/T 28181 device ID, or until it has one, by a local ID that begins with LOCAL-.

    Codes are kept as they were given; `cameras.register.deviations` says which of them the tables do not have.
    """

    gb28181_id: str = ""
    name: str = Field(min_length=1, max_length=200)
    ptz_type: int | None = Field(None, ge=0, le=999)
    room_type: int | None = Field(None, ge=0, le=999)
    direction_type: int | None = Field(None, ge=0, le=999)
    azimuth_deg: float | None = Field(None, ge=0, lt=360)
    fov_deg: float | None = Field(None, gt=0, le=360)
    range_m: float | None = Field(None, gt=0)
    height_m: float | None = Field(None, ge=0, le=1000)
    org_code: str = ""
    owner_name: str = Field("", max_length=200)
    is_secret: bool = False
    purpose: str = Field("", max_length=200)
    note: str = Field("", max_length=1000)
    sight_note: str = Field("", max_length=500)
    parent_id: str = Field("", max_length=200)
    platform_code: str | None = Field(None, min_length=1, max_length=32)

    defaults: ClassVar[dict[str, str]] = {"name": "gb28181_id"}

    @field_validator("gb28181_id")
    @classmethod
    def _well_formed(cls, value: str) -> str:
        if not value or is_local(value):
            return value
        try:
            told = DeviceId.parse(value).explained()
        except UserError as error:
            message = f"{error}; a local one begins with LOCAL-, such as LOCAL-CC-001"
            raise ValueError(message) from None
        try:
            refuse_no_camera(told)
        except UserError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("name", "org_code", "owner_name", "purpose", "note", "sight_note", "parent_id")
    @classmethod
    def _open(cls, value: str) -> str:
        return without_passwords(value)[0]

    @field_validator("name", "purpose")
    @classmethod
    def _allowed(cls, value: str) -> str:
        word = forbidden_place(value)
        if word is not None:
            message = (
                f"{value[:60]!r} says that it is in a place where no camera may be ({word}; State Council Order 799): "
                "remove the camera, or correct what it is called, such as with 门口 or 外侧 if it is outside"
            )
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
    more={"type_code": "text", "network_code": "text", "camera_state": "text", "state_since": "timestamptz"},
    passing=frozenset({"camera_state", "state_since"}),
    narrowed_by=("owner_name", "network_code", "type_code", "camera_state"),
    drawn_from=(Table.CAMERAS,),
    is_editable=True,
)
