"""Cameras 摄像机: where they stand and look; never a password, never an image."""

from typing import ClassVar

from pydantic import Field, field_validator

from geo_grid.layers.layer import Layer, LayerRow


class CameraRow(LayerRow):
    """One camera by its GB/T 28181 device ID."""

    gb28181_id: str
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
        # centre 8 + industry 2 + type 3 + network 1 + serial 6; 131 camera, 132 IP camera
        if len(value) != 20 or not value.isascii() or not value.isdigit():
            message = "a GB/T 28181 device ID has 20 digits"
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
    drawn_from=("cameras",),
    is_editable=True,
)
