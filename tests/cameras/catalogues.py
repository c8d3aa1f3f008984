"""Catalogues as platforms send them."""

HEAD = '<?xml version="1.0" encoding="GB2312"?>\r\n'


def item(number: int, lon: float = 114.503, lat: float = 37.003, name: str = "", **more: str) -> str:
    values = {
        "DeviceID": f"1305020000132{number:07d}", "Name": name or f"朱镕路监控{number}", "Manufacturer": "x", "CivilCode": "130502",
        "Parental": "0", "ParentID": "13050200002000000001/13050200002160000001", "Secrecy": "0", "IPAddress": "10.1.2.3",
        "Password": "geheim-42", "Status": "ON", "Longitude": f"{lon}", "Latitude": f"{lat}", **more,
    }  # fmt: skip
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in values.items() if value)
    return f"<Item>{inner}<Info><PTZType>3</PTZType><DirectionType>5</DirectionType></Info></Item>"


def catalogue(*items: str | bytes, announced: int | None = None, serial: int = 1) -> bytes:
    """A catalogue in GB 18030, which says GB2312 as they all do."""
    count = len(items) if announced is None else announced
    head = f"{HEAD}<Response><CmdType>Catalog</CmdType><SN>{serial}</SN><SumNum>{count}</SumNum><DeviceList Num='{len(items)}'>"
    body = b"\r\n".join(one if isinstance(one, bytes) else one.encode("gb18030") for one in items)
    return head.encode() + body + b"</DeviceList></Response>"
