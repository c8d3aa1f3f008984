"""Device ids of GB/T 28181: 20 digits, parsed, written and explained; parsing and writing are inverse."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from geo_grid.errors import UserError
from geo_grid.gb28181.codes import Code, TypeCode, tables

DIGITS = 20


@dataclass(frozen=True)
class DeviceId:
    """A device id by its parts, each as raw digits.

    Attributes
    ----------
    centre
        8 digits: the administrative division, down to the station.
    industry
        2 digits.
    kind
        3 digits: the type of the device.
    network
        1 digit.
    serial
        6 digits.
    """

    centre: str
    industry: str
    kind: str
    network: str
    serial: str

    def __post_init__(self) -> None:
        for name, length in (("centre", 8), ("industry", 2), ("kind", 3), ("network", 1), ("serial", 6)):
            part = getattr(self, name)
            if len(part) != length or not (part.isascii() and part.isdigit()):
                message = f"{name} {part[:40]!r} is not {length} digit{'s' * (length > 1)}"
                raise UserError(message)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id. Raises UserError, which says what is wrong with it."""
        if len(text) != DIGITS or not (text.isascii() and text.isdigit()):
            said = f"has {len(text)} characters" if len(text) != DIGITS else "has other characters"
            message = f"a GB/T 28181 device ID has 20 digits; {text[:40]!r} {said}"
            raise UserError(message)
        return cls(text[:8], text[8:10], text[10:13], text[13], text[14:])

    def __str__(self) -> str:
        """Write the id as its 20 digits."""
        return f"{self.centre}{self.industry}{self.kind}{self.network}{self.serial}"

    @property
    def division_code(self) -> str:
        """The six digits of its county."""
        return self.centre[:6]

    def explained(self) -> "Explained":
        """Say what its parts mean, and what deviates from the tables."""
        known = tables()
        kind = known.types.get(self.kind, TypeCode(self.kind))
        industry = known.industries.get(self.industry, Code(self.industry))
        network = known.networks.get(self.network, Code(self.network))
        return Explained(str(self), self.division_code, self.centre[6:], industry, kind, network, self.serial)


@dataclass(frozen=True)
class Explained:
    """What an id says.

    Attributes
    ----------
    division_code, station
        Digits 1-6 and 7-8: the county, and the station or unit in it.
    """

    gb28181_id: str
    division_code: str
    station: str
    industry: Code
    kind: TypeCode
    network: Code
    serial: str

    @property
    def is_camera(self) -> bool | None:
        """Whether its type is a camera's; None: the table does not say."""
        return self.kind.is_camera

    def warnings(self) -> Iterator[str]:
        """Say what deviates: codes that the tables do not have, or whose meaning has no source, and a serial number of none."""
        for name, code in (("type", self.kind), ("industry", self.industry), ("network", self.network)):
            if code.certainty == "unknown":
                yield f"{name} code {code.code} is in no table; it is kept as it is"
        if self.division_code[:2] not in tables().provinces:
            yield f"division code {self.division_code} is of no province (GB/T 2260); it is kept as it is"
        if not self.serial.strip("0"):
            yield "the serial number is 000000, which counts no device"
        if self.kind.certainty == "occurs":
            yield f"type code {self.kind.code} occurs in catalogues, and no source says what it means"


def refuse_no_camera(told: Explained) -> None:
    """Refuse the id of a device that is known to be no camera. Raises UserError; unknown types pass."""
    if told.is_camera is False:
        message = f"digits 11-13 are {told.kind.code}, which is no camera: {told.kind.en} {told.kind.zh}"
        raise UserError(message)
