"""Answers of GeoReport v2 in its two formats, JSON and XML."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from xml.etree import ElementTree

from starlette.responses import Response

type Format = Literal["json", "xml"]

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2)."""


def answer(form: str, root: str, each: str, items: Sequence[Mapping[str, Any]], status: int = 200) -> Response:
    """Return a list of items: in JSON as they are, in XML as elements `each` in an element `root`."""
    return Response(body_of(form, root, each, items), status, media_type=MEDIA[form])


def body_of(form: str, root: str, each: str, items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the body of such an answer."""
    if form != "xml":
        return json.dumps(items, ensure_ascii=False).encode()
    element = ElementTree.Element(root)
    for item in items:
        _fill(ElementTree.SubElement(element, each), item)
    return xml_of(element)


def definition(form: str, code: str) -> Response:
    """Return the definition of a service, of which nothing more is asked than of every other."""
    if form != "xml":
        return Response(json.dumps({"service_code": code, "attributes": []}), media_type=MEDIA[form])
    element = ElementTree.Element("service_definition")
    _fill(element, {"service_code": code, "attributes": None})
    return Response(xml_of(element), media_type=MEDIA[form])


def xml_of(element: ElementTree.Element) -> bytes:
    """Return an XML document in UTF-8."""
    found: bytes = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    return found


def _fill(element: ElementTree.Element, item: Mapping[str, Any]) -> None:
    for name, value in item.items():
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        ElementTree.SubElement(element, name).text = _NO_XML.sub("\ufffd", text)


MEDIA = {"json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8"}
