"""Registers of cameras by GA/T 1400 (VIID), in JSON: the collecting devices (APE) only.

The same interface carries persons, faces, vehicles and plates. This program takes none of them: a document that holds any is
refused as a whole, before anything of it is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from geo_grid.errors import UnreadableFile
from geo_grid.passwords import is_secret_name

_LISTS = frozenset({"apelistobject", "apeobject", "apelist", "ape"})
"""Members that hold devices, in JSON and, as some write them in JSON too, in XML; in small letters."""
_PERSONAL = re.compile(
    r"person|face|motorvehicle|plateno|plateclass|subimage|imageinfo|imagelist|videoslice|idnumber|disposition|caseinfo"
    r"|thing|feature",
    re.IGNORECASE,
)
"""Names of members that belong to objects with persons, faces, plates or pictures (GA/T 1400.3)."""
_FIELDS = {
    "ApeID": "gb28181_id", "Name": "name", "Longitude": "lon", "Latitude": "lat", "OrgCode": "org_code", "Place": "note",
    "OwnerApsID": "parent_id", "IsOnline": "camera_state",
}  # fmt: skip
"""Column by member. MonitorDirection counts otherwise than DirectionType of GB/T 28181, and is not read."""
COLUMNS = tuple(_FIELDS.values())
_STATES = {"1": "online", "2": "offline", "9": ""}
_DEEPEST = 12


@dataclass
class Devices:
    """What a document holds: text by column for each device, and how many passwords and directions were not taken."""

    rows: list[dict[str, str]] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    secrets: int = 0
    directions: int = 0


_KNOWN = re.compile(
    rb'"(?:APE(?:List)?(?:Object)?|ApeID|(?:Face|Person|MotorVehicle|NonMotorVehicle|Thing|Scene|SubImageInfo|Image|VideoSlice|Disposition|Case)'
    rb'(?:List)?Object|(?:Face|Person|MotorVehicle|NonMotorVehicle)(?:List|ID))"\s*:',
    re.IGNORECASE,
)
_OTHER = re.compile(
    rb'"type"\s*:\s*"(?:Feature|Topology|Point|Multi|Line|Polygon|Geometry)|"(?:features|esriGeometry\w*|geometryType)"'
)
"""What is in the beginning of GeoJSON, TopoJSON and ESRI JSON."""


def is_viid(head: bytes) -> bool:
    """Say whether a JSON document, by its beginning, is one of GA/T 1400 rather than GeoJSON."""
    first = re.match(rb'(?:\xef\xbb\xbf)?\s*\[?\s*\{\s*"([A-Za-z]{1,60})"', head)
    is_object = first is not None and first[1].endswith(b"Object")
    return (is_object or _KNOWN.search(head) is not None) and _OTHER.search(head) is None


def read_viid(document: Any) -> Devices:
    """Read the devices of a document.

    Parameters
    ----------
    document
        As `json.loads` gives it.

    Raises
    ------
    UnreadableFile
        It holds persons, faces, plates or pictures, or no devices.
    """
    for name in _names(document, 0):
        if _PERSONAL.search(name):
            message = (
                f"it holds {name[:60]!r}: objects with persons, faces, plates or pictures are not taken here, and nothing"
                " of this file was read; ask the platform for APEs alone"
            )
            raise UnreadableFile(message)
    found = Devices()
    for device in _devices(document):
        if not isinstance(device, dict):
            found.broken[len(found.rows)] = "it is no object"
            found.rows.append({})
            continue
        values = {}
        for name, value in device.items():
            if is_secret_name(name):
                found.secrets += value not in (None, "")
            elif name == "MonitorDirection":
                found.directions += value not in (None, "")
            elif name in _FIELDS and isinstance(value, str | int | float) and str(value).strip():
                values[_FIELDS[name]] = str(value).strip()
        if values.get("camera_state") is not None:
            values["camera_state"] = _STATES.get(values["camera_state"], values["camera_state"])
        if not any(float_or_none(values.get(axis)) for axis in ("lon", "lat")):
            values.pop("lon", None)
            values.pop("lat", None)
        found.rows.append(values)
    if not found.rows:
        message = "it holds no APE of GA/T 1400"
        raise UnreadableFile(message)
    return found


def float_or_none(text: str | None) -> float | None:
    """Return a number, or None for what is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _names(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        message = f"it is nested more than {_DEEPEST} deep, which no register of cameras is"
        raise UnreadableFile(message)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, depth + 1)


def _devices(value: Any, is_list: bool = True) -> Iterator[Any]:
    """Yield the devices in a document, wherever in it they are listed.

    Parameters
    ----------
    is_list
        What is in it are devices, or should be.
    """
    if isinstance(value, list):
        for one in value:
            if isinstance(one, dict) or is_list:
                yield from _devices(one, is_list) if isinstance(one, dict) and one else [one]
    elif isinstance(value, dict):
        lists = {name for name in value if name.lower() in _LISTS}
        if "ApeID" in value or (is_list and not lists and value.keys() & _FIELDS.keys()):
            yield value
            return
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield from _devices(inner, name in lists)
