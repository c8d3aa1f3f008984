"""Catalogues of GB/T 28181 (answers and notifications of CmdType Catalog), in XML as platforms really send them.

They say GB2312 and hold GB 18030, have NULs in names, and single items that are broken: these are refused one by one. The
bytes are cut into items first, since a parser of XML would refuse the whole for one of them. Neither byte of `<` and `/` is
part of a longer character in GB 18030 or UTF-8, so that cutting needs no decoding.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree.ElementTree import Element, ParseError, fromstring

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.gb28181.codes import tables
from geo_grid.gb28181.ids import DIGITS, DeviceId
from geo_grid.passwords import is_secret_name

_ITEM = re.compile(rb"<Item(?=[\s>])")
_END = re.compile(rb"</Item\s*>")
_LIST_END = re.compile(rb"</DeviceList\s*>")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_SERIAL = re.compile(rb"<SN>\s*([0-9]{1,18})\s*</SN>")
_ANNOUNCED = re.compile(rb"<SumNum>\s*([0-9]{1,9})\s*</SumNum>")
_IS_CATALOGUE = re.compile(rb"<CmdType>\s*Catalog\s*</CmdType>")
_DECLARES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_LONGEST_ITEM = 64 << 10
STATES = {"ON": "online", "OK": "online", "ONLINE": "online", "OFF": "offline", "OFFLINE": "offline", "VLOST": "fault",
           "DEFECT": "fault"}  # fmt: skip
"""State of a camera by Status of an item, or Event of one that is notified."""
_FIELDS = {
    "DeviceID": "gb28181_id", "Name": "name", "Longitude": "lon", "Latitude": "lat", "PTZType": "ptz_type",
    "RoomType": "room_type", "DirectionType": "direction_type", "Owner": "owner_name", "CivilCode": "org_code",
    "Secrecy": "is_secret", "UseType": "purpose", "Address": "note", "ParentID": "parent_id", "Status": "camera_state",
    "HorizontalFieldAngle": "fov_deg", "MaxViewDistance": "range_m",
}  # fmt: skip
"""Column by element. What is not here is not read: addresses and ports of devices, certificates, passwords."""
COLUMNS = tuple(_FIELDS.values())
_CODES = ("ptz_type", "room_type", "direction_type")
_AMOUNTS = ("fov_deg", "range_m")
_ZERO = re.compile(r"0*\.?0*")


@dataclass
class Catalogue:
    """What a catalogue holds.

    Attributes
    ----------
    rows
        Of each camera, text by column; of each broken item an empty row, for `broken`.
    broken
        Why a row could not be read, by its place in `rows`.
    announced, received
        Devices that the catalogue says it has (SumNum of each answer), and items that it holds. None: it does not say.
    left_out
        How many items are no cameras, by what they are.
    secrets
        Passwords that were dropped.
    odd
        Codes that are no numbers, by column: the first number in them was taken, or none.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    announced: int | None = None
    received: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    secrets: int = 0
    odd: Counter[str] = field(default_factory=Counter)


def read_catalogue(data: bytes) -> Catalogue:
    """Read a catalogue, of one answer or of many in a row.

    Raises
    ------
    UnreadableFile
        It is no catalogue, or declares entities, which no catalogue does.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = _as_utf8(data)
    data = data.replace(b"\0", b"")
    if _DECLARES.search(data):
        message = "it declares entities or a document type, which no catalogue of GB/T 28181 does"
        raise UnreadableFile(message)
    chunks = list(cut_items(data))
    if not _IS_CATALOGUE.search(data) or (not chunks and not _ANNOUNCED.search(data)):
        message = "it is no catalogue of GB/T 28181: it has no <CmdType>Catalog</CmdType>, or no <Item>"
        raise UnreadableFile(message)
    encoding = encoding_of(data)
    found = Catalogue(announced=_announced(data))
    for chunk in chunks:
        _take(found, chunk, encoding)
    found.received = len(chunks)
    return found


def cut_items(data: bytes) -> Iterator[bytes]:
    """Cut a catalogue into its items: each from where it begins to where the next one does, or the list ends."""
    bounds = [*(found.start() for found in _ITEM.finditer(data)), len(data)]
    for start, end in pairwise(bounds):
        ends = _LIST_END.search(data, start, end)
        yield data[start : ends.start() if ends else end]


_FIRST_CHINESE = "\u2e80"
"""Three bytes in UTF-8, as all after it: CJK radicals."""


def _as_utf8(data: bytes) -> bytes:
    try:
        return _DECLARED.sub(b'<?xml version="1.0" encoding="UTF-8"', data.decode("utf-16").encode())
    except UnicodeDecodeError:
        message = "it begins as UTF-16 does, and is none"
        raise UnreadableFile(message) from None


def encoding_of(data: bytes) -> str:
    """Return the encoding: GB 18030 for whatever of its family is declared, or where the bytes are not UTF-8.

    Many platforms declare GB2312 and send UTF-8: what is UTF-8 throughout, with Chinese in it, is hardly ever GB 18030.
    """
    declared = _DECLARED.search(data)
    name = declared[1].decode().lower().replace("-", "") if declared else ""
    if name == "utf8":
        return "utf-8"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "gb18030"
    is_chinese = max(text, default="") >= _FIRST_CHINESE
    return "gb18030" if name.startswith(("gb", "cp936", "hz")) and not is_chinese else "utf-8"


def _announced(data: bytes) -> int | None:
    """Add up SumNum of the answers: those of one query, which have one SN, repeat it."""
    said: dict[bytes, int] = {}
    for found in _ANNOUNCED.finditer(data):
        serial = _SERIAL.findall(data, 0, found.start())
        key = serial[-1] if serial else b""
        said[key] = max(said.get(key, 0), int(found[1]))
        if len(said) > 1 << 16:
            break
    return sum(said.values()) if said else None


def _take(found: Catalogue, chunk: bytes, encoding: str) -> None:
    try:
        item = _parsed(chunk, encoding)
    except UnreadableFile as error:
        found.broken[len(found.rows)] = f"the item {error}"
        found.rows.append({})
        return
    values: dict[str, str] = {}
    for name, value in _elements(item):
        if is_secret_name(name):
            found.secrets += bool(value)
        elif name in _FIELDS and value:
            values.setdefault(_FIELDS[name], value)
    other = _no_camera(values.get("gb28181_id", ""))
    if other:
        found.left_out[other] += 1
    else:
        found.rows.append(_plain(found, values))


def _parsed(chunk: bytes, encoding: str) -> Element:
    """Return the item that some bytes begin with. Raises UnreadableFile, whose message goes on after "the item"."""
    end = _END.search(chunk)
    if end is None:
        message = "has no end: the catalogue stops in the middle of it, or another begins within"
        raise UnreadableFile(message)
    if end.end() > _LONGEST_ITEM:
        message = f"has {end.end():,} bytes; {_LONGEST_ITEM:,} are taken"
        raise UnreadableFile(message)
    try:
        # short, and without declarations, as was looked at before: nothing in it can grow
        return fromstring(chunk[: end.end()].decode(encoding))  # noqa: S314
    except UnicodeDecodeError:
        message = f"is not written in {encoding.upper()}"
        raise UnreadableFile(message) from None
    except (ParseError, ValueError) as error:
        message = f"is no XML: {error}"
        raise UnreadableFile(message) from None


def _plain(found: Catalogue, values: dict[str, str]) -> dict[str, str]:
    """Return the values of an item as the register takes them."""
    state = values.get("camera_state", "")
    if state:
        values["camera_state"] = STATES.get(state.upper(), state)
    for name in _CODES:
        if name in values and not (values[name].isascii() and values[name].isdigit()):
            found.odd[name] += 1
            number = re.search(r"\d{1,3}", values.pop(name), re.ASCII)
            values |= {name: number[0]} if number else {}
    for name in (*_AMOUNTS, "lon", "lat"):  # 0 is what platforms write for nothing
        if _ZERO.fullmatch(values.get(name, "1")):
            del values[name]
    return values


def _elements(item: Element) -> Iterator[tuple[str, str]]:
    """Yield the elements of an item, and of the Info in it, which some platforms put directly into the item."""
    for one in item:
        if one.tag == "Info":
            yield from ((inner.tag, (inner.text or "").strip()) for inner in one)
        else:
            yield one.tag, (one.text or "").strip()


def _no_camera(device_id: str) -> str:
    """Return what an id says that its item is, if it is no camera: directories have ids too, of fewer digits or other types."""
    if len(device_id) in (2, 4, 6, 8) and device_id.isascii() and device_id.isdigit():
        return "administrative divisions"
    if len(device_id) != DIGITS:
        return ""
    try:
        kind = DeviceId.parse(device_id).kind
    except UserError:
        return ""
    known = tables().types.get(kind)
    return f"{known.zh} {known.en} ({kind})" if known is not None and known.is_camera is False else ""
