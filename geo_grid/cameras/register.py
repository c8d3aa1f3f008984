"""What the register says of a camera, in words: its id part by part, and what deviates from the code tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field

from geo_grid.gb28181 import Code, DeviceId, azimuth_of, tables

_NEAR_DEG = 45.0
"""Further apart, a direction and an azimuth of one camera contradict each other: the eight directions are so far apart."""


class Meaning(BaseModel):
    """A code and what it means."""

    code: str = Field(description="raw, as it was given")
    zh: str
    en: str
    certainty: str = Field(
        description="implemented: seen in code that implements the standard; occurs: in real catalogues only, without a"
        " source; unknown: in no table"
    )

    @classmethod
    def of(cls, code: Code) -> "Meaning":
        """Take over a code of the tables."""
        return cls(code=code.code, zh=code.zh, en=code.en, certainty=code.certainty)


class IdExplained(BaseModel):
    """A device id of GB/T 28181, part by part."""

    gb28181_id: str
    division_code: str = Field(description="digits 1-6: the county")
    station: str = Field(description="digits 7-8: the station or unit in it")
    industry: Meaning = Field(description="digits 9-10")
    type: Meaning = Field(description="digits 11-13")
    network: Meaning = Field(description="digit 14")
    serial: str = Field(description="digits 15-20")
    is_camera: bool | None = Field(description="null: the tables do not say")
    warnings: list[str] = Field(description="what deviates from the tables; the id is taken all the same")


def explain_id(text: str) -> IdExplained:
    """Explain a device id. Raises UserError for what is none."""
    told = DeviceId.parse(text).explained()
    return IdExplained(
        gb28181_id=told.gb28181_id,
        division_code=told.division_code,
        station=told.station,
        industry=Meaning.of(told.industry),
        type=Meaning.of(told.kind),
        network=Meaning.of(told.network),
        serial=told.serial,
        is_camera=told.is_camera,
        warnings=list(told.warnings()),
    )


def deviations(row: Mapping[str, Any]) -> Iterator[str]:
    """Say what deviates in a row of the register from the code tables, each kind in words of its own, to be counted."""
    key = str(row.get("gb28181_id") or "")
    if key and not key.startswith("LOCAL-"):
        yield from DeviceId.parse(key).explained().warnings()
    known = tables()
    for field, name, table in (
        ("ptz_type", "PTZType", known.ptz),
        ("room_type", "RoomType", known.rooms),
        ("direction_type", "DirectionType", known.directions),
    ):
        value = row.get(field)
        if value is None:
            continue
        code = table.get(str(value))
        if code is None:
            yield f"{name} {value} is in no table; it is kept as it is"
        elif code.certainty == "occurs":
            yield f"{name} {value} occurs in catalogues, and no source says what it means"
    said, azimuth = row.get("direction_type"), row.get("azimuth_deg")
    meant = None if said is None else azimuth_of(int(said))
    if meant is not None and azimuth is not None and abs((azimuth - meant + 180) % 360 - 180) > _NEAR_DEG:
        yield "azimuth_deg contradicts DirectionType; azimuth_deg counts"
