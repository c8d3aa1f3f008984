"""Cameras 摄像机: the register of their positions and fields of view; passwords and images are never stored."""

import hashlib
import re
import unicodedata
from typing import ClassVar

from pydantic import Field, field_validator

from geo_grid.changes import Table
from geo_grid.errors import UserError
from geo_grid.gb28181 import DeviceId, refuse_no_camera
from geo_grid.layers.layer import Layer, LayerRow
from geo_grid.passwords import without_passwords

_LOCAL = re.compile(r"LOCAL-[0-9A-Za-z._-]{1,26}", re.ASCII)
_FORBIDDEN = re.compile(
    "客房|包[间間厢廂]|宿[舍舎]|[学學]生公寓|[卧臥]室|哺乳|母[婴嬰][室间間]|[寝寢]|茅房|(?:酒店|[宾賓旅][馆館]|招待所|民宿)[0-9a-z]{0,5}[号號]?房[间間]|[男女][卫衛衞](?![生健校队隊视視星])|[厕廁厠]所?|[卫衛衞]生[间間]|洗手[间間閒]|盥洗[室间間]|[更换換]衣[室间間]|浴室|淋浴[室间間]|[试試]衣[室间間]"
    "|(?:guest|hotel)room|(?<![a-z])dorms?(?![a-z])|dormitor|bedroom|nursingroom|toilet|washroom|restroom|bathroom|lavatory|(?:changing|fitting|dressing|locker)room|(?<![a-z])w/?c(?![a-z])"
)
"""Places where no camera may be (State Council Order 799, article 8 as DOMAIN.md has it), as they are called."""
_OUTSIDE = re.compile(
    r"(?:[a-z0-9一二三四五六七八九十]{0,3}(?:号楼|號樓|栋|棟|幢|座|单元|單元)|楼(?!前|下|外)|樓(?!前|下|外)|[区區院部]){0,2}的?[(\[【]?"
    "(?:[门門]口|[门門]前|[楼樓]前|[楼樓]下|[楼樓]外|外[墙牆]|外[侧側]|外[围圍]|[对對]面|大[门門]|[入出]口|[门門]外|[东東南西北][侧側]|旁|路口)(?!(?:对|對|朝|向|转|轉|看)?向?[内內里裡裏床])"
)
"""What says directly behind the name of such a place, or of its building, that a camera is before or beside it, not in it."""
_BETWEEN = re.compile(
    r"[\s\x00-\x1f·・•_*~.\-\u00ad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]+"
)
"""What somebody may write between two letters, without another word to come of it: spaces, dots, and what nobody sees."""


def local_id(name: str, lon: float, lat: float) -> str:
    """Return the local ID of a camera without a national one: the same for the same name and place."""
    return f"LOCAL-{hashlib.sha256(f'{name} {lon:.8f} {lat:.8f}'.encode()).hexdigest()[:12]}"


def is_local(gb28181_id: str) -> bool:
    """Say whether an ID is a local one, which a national one may replace."""
    return _LOCAL.fullmatch(gb28181_id) is not None


def forbidden_place(text: str) -> str | None:
    """Return the word by which a name, a purpose or a note says that a camera is where none may be; None: it does not."""
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", text).lower())
    return next((found[0] for found in _FORBIDDEN.finditer(plain) if not _OUTSIDE.match(plain, found.end())), None)


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
    range_m: float | None = Field(None, gt=0, le=5000)
    height_m: float | None = Field(None, ge=0, le=1000)
    org_code: str = ""
    owner_name: str = Field("", max_length=200)
    local_network: str = Field("", pattern="^[0-9]?$")
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

    @field_validator("name", "purpose", "note", "sight_note")
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
    drawn_beside=("camera_views",),
    is_editable=True,
    is_within_city=True,
)
