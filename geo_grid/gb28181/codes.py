"""The code tables of GB/T 28181, read from `codes.toml`: types, industries, networks, PTZ, rooms and directions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

type Certainty = Literal["implemented", "occurs", "unknown"]
"""How sure a meaning is: seen in code that implements the standard, only in real catalogues, or not in the table at all."""


@dataclass(frozen=True)
class Code:
    """A code with its meaning.

    Attributes
    ----------
    code
        As it is written, raw.
    zh, en
        What it means; empty for a code that the table does not have.
    """

    code: str
    zh: str = ""
    en: str = ""
    certainty: Certainty = "unknown"


@dataclass(frozen=True)
class TypeCode(Code):
    """A type of device (digits 11-13). `is_camera` is None for a type that the table does not have."""

    is_camera: bool | None = None


@dataclass(frozen=True)
class PtzCode(Code):
    """A value of PTZType, whether such a camera sees around or ahead, and whether it can be steered."""

    looks: Literal["around", "ahead"] = "ahead"
    steers: bool = False


@dataclass(frozen=True)
class DirectionCode(Code):
    """A value of DirectionType; `azimuth_deg` clockwise from north, None for a value that the table does not have."""

    azimuth_deg: float | None = None


@dataclass(frozen=True)
class Tables:
    """All tables, by code as text."""

    types: Mapping[str, TypeCode]
    industries: Mapping[str, Code]
    networks: Mapping[str, Code]
    provinces: Mapping[str, Code]
    ptz: Mapping[str, PtzCode]
    rooms: Mapping[str, Code]
    directions: Mapping[str, DirectionCode]


@cache
def tables() -> Tables:
    """Return the code tables. A range of types is read in order: a later, narrower one replaces what a wider one says."""
    read = tomllib.loads(files("geo_grid.gb28181").joinpath("codes.toml").read_text(encoding="utf-8"))
    types: dict[str, TypeCode] = {}
    for span in read["types"]:
        first, last = int(span.pop("first")), int(span.pop("last"))
        types |= {str(code): TypeCode(str(code), **span) for code in range(first, last + 1)}
    return Tables(
        types=types,
        industries={code: Code(code, **told) for code, told in read["industries"].items()},
        networks={code: Code(code, **told) for code, told in read["networks"].items()},
        provinces={code: Code(code, name, name, "implemented") for code, name in read["provinces"].items()},
        ptz={code: PtzCode(code, **told) for code, told in read["ptz"].items()},
        rooms={code: Code(code, **told) for code, told in read["rooms"].items()},
        directions={code: DirectionCode(code, **told) for code, told in read["directions"].items()},
    )


def azimuth_of(direction_type: int) -> float | None:
    """Return the azimuth of a DirectionType, degrees clockwise from north; None for a value that the table does not have."""
    known = tables().directions.get(str(direction_type))
    return known.azimuth_deg if known else None


def direction_of(azimuth_deg: float) -> int:
    """Return the DirectionType nearest to an azimuth, degrees clockwise from north."""
    return min(
        (int(code) for code in tables().directions),
        key=lambda code: abs(((azimuth_of(code) or 0.0) - azimuth_deg + 180) % 360 - 180),
    )
