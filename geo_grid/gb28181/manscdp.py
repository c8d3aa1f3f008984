"""Bodies of GB/T 28181 (MANSCDP): what a message says before its list, its items as bytes, positions, and the queries that we send.

Nothing here parses XML: commands are found in the bytes, items are cut out of them, and `catalogue.read_catalogue` reads these
in a confined process.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from geo_grid.gb28181.catalogue import cut_items, encoding_of

_DECLARES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT = re.compile(rb"<(Response|Notify|Query|Control)[\s>]")
_FIELD = rb"<%s>\s*([^<]{0,64}?)\s*</%s>"
_COMMAND, _SERIAL, _DEVICE, _TOTAL, _EVENT, _STATUS, _PARENT = (
    re.compile(_FIELD % (name, name))
    for name in (b"CmdType", b"SN", b"DeviceID", b"SumNum", b"Event", b"Status", b"ParentID")
)
_TARGET, _LONGITUDE, _LATITUDE, _SPEED, _DIRECTION, _TIME, _CAPTURED = (
    re.compile(_FIELD % (name, name))
    for name in (b"TargetID", b"Longitude", b"Latitude", b"Speed", b"Direction", b"Time", b"CaptureTime")
)
_AMOUNT = re.compile(rb"[+-]?[0-9]{1,9}(?:\.[0-9]{0,20})?")
_FASTEST_KMH, _AROUND_DEG = 2000.0, 360.0
"""What is faster, or turned farther, is an error of the device."""


@dataclass(frozen=True)
class Body:
    """What a body says before its list.

    Attributes
    ----------
    kind
        Its root: Response, Notify, Query or Control.
    command, device_id
        CmdType, and the DeviceID it is from or about.
    serial, announced
        SN and SumNum; None: it has none that is a number.
    data
        The bytes, without NULs.
    """

    kind: str
    command: str
    device_id: str
    serial: int | None
    announced: int | None
    data: bytes


@dataclass(frozen=True)
class Item:
    """An item of a list, as it came.

    Attributes
    ----------
    device_id, parent_id, event, status
        As they stand in it; empty: it has none.
    data
        Its bytes, in GB 18030 where they could be read.
    """

    device_id: str
    parent_id: str
    event: str
    status: str
    data: bytes


def read_body(data: bytes) -> Body | None:
    """Read what a body says before its list; None: it is none of MANSCDP, or declares entities, which none does."""
    data = data.replace(b"\0", b"")
    if _DECLARES.search(data):
        return None
    head = data.partition(b"<DeviceList")[0]
    root, command = _ROOT.search(head), _COMMAND.search(head)
    if root is None or command is None:
        return None
    total = _number(_TOTAL.search(head))
    return Body(
        root[1].decode(), command[1].decode("ascii", "replace"), _text(_DEVICE.search(head)), _number(_SERIAL.search(head)), total, data
    )  # fmt: skip


def items_of(body: Body) -> Iterator[Item]:
    """Yield the items of a body."""
    encoding = encoding_of(body.data)
    for chunk in cut_items(body.data):
        data = chunk
        if encoding != "gb18030":
            try:
                data = chunk.decode(encoding).encode("gb18030")
            except UnicodeDecodeError:
                data = chunk  # broken: its reader says so
        device_id, parent_id, event, status = (_text(one.search(chunk)) for one in (_DEVICE, _PARENT, _EVENT, _STATUS))
        yield Item(device_id, parent_id, event, status, data)


@dataclass(frozen=True)
class Whereabouts:
    """Where a device says that it is.

    Attributes
    ----------
    x, y
        Longitude and Latitude, in the datum of the platform.
    time
        As it stands there; empty: it has none.
    speed_kmh, heading_deg
        Speed and Direction (clockwise from north); None: it has none, or none that can be.
    """

    device_id: str
    x: float
    y: float
    time: str
    speed_kmh: float | None
    heading_deg: float | None


def positions_of(body: Body) -> Iterator[Whereabouts]:
    """Yield the positions of a notification (MobilePosition): its own (GB/T 28181-2016), or those of its list (2022).

    One whose place is no two numbers, or 0, which devices write for none, is left out.
    """
    head = body.data.partition(b"<DeviceList")[0]
    told = _text(_TIME.search(head))
    for chunk in list(cut_items(body.data)) or [head]:
        device_id = _text(_TARGET.search(chunk)) or _text(_DEVICE.search(chunk))
        x, y, speed, heading = (_amount(one.search(chunk)) for one in (_LONGITUDE, _LATITUDE, _SPEED, _DIRECTION))
        if not (device_id and x and y):
            continue
        time = _text(_CAPTURED.search(chunk)) or _text(_TIME.search(chunk)) or told
        yield Whereabouts(
            device_id, x, y, time, speed if speed is not None and 0 <= speed <= _FASTEST_KMH else None,
            heading % _AROUND_DEG if heading is not None and 0 <= heading <= _AROUND_DEG else None,
        )  # fmt: skip


def new_serial() -> int:
    """Return a number (SN) for a query: nobody can guess to which one an answer would be taken."""
    return secrets.randbelow(2**31 - 1) + 1


def catalogue_query(serial: int, device_id: str) -> bytes:
    """Write a query of the catalogue, which is also what a subscription to its changes asks for."""
    return (
        f'<?xml version="1.0" encoding="GB2312"?>\r\n<Query>\r\n<CmdType>Catalog</CmdType>\r\n<SN>{serial}</SN>\r\n'
        f"<DeviceID>{device_id}</DeviceID>\r\n</Query>\r\n"
    ).encode()


def position_query(serial: int, device_id: str, every_s: int) -> bytes:
    """Write what a subscription to positions asks for: those of all devices of a platform, each so often."""
    return (
        f'<?xml version="1.0" encoding="GB2312"?>\r\n<Query>\r\n<CmdType>MobilePosition</CmdType>\r\n<SN>{serial}</SN>\r\n'
        f"<DeviceID>{device_id}</DeviceID>\r\n<Interval>{every_s}</Interval>\r\n</Query>\r\n"
    ).encode()


def _amount(found: re.Match[bytes] | None) -> float | None:
    return float(found[1]) if found and _AMOUNT.fullmatch(found[1]) else None


def _text(found: re.Match[bytes] | None) -> str:
    return found[1].decode("gb18030", "replace") if found else ""


def _number(found: re.Match[bytes] | None) -> int | None:
    return int(found[1]) if found and found[1].isdigit() and len(found[1]) <= 18 else None
