"""The OpenAPI document: FastAPI's in the words of OpenAPI 3.0, with errors under the media type they really have.

OGC API Features knows version 3.0 only (OGC 17-069r4, clause 9; conformance class oas30), and so do map programs, which
look for it by its media type. FastAPI writes 3.1; what differs in what it writes is the dialect of the schemas.
"""

from typing import Any

from fastapi import FastAPI

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.0"
_VERSION = "3.0.3"
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}


def describe(app: FastAPI, address: str) -> dict[str, Any]:
    """Return the OpenAPI document of the app, which is reached at an address."""
    document: dict[str, Any] = _in_version_3_0(app.openapi())
    document["openapi"] = _VERSION
    document["servers"] = [{"url": address}]
    about = document["info"]
    about["description"] = about.pop("summary")
    about["license"] = {"name": about["license"]["name"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            for code, response in responses.items():
                if code >= "400" and "content" in response:
                    response["content"] = {"application/problem+json": _PROBLEM}
            responses.setdefault(
                "default",
                {"description": "A problem (RFC 9457)", "content": {"application/problem+json": _PROBLEM}},
            )
    return document


def _in_version_3_0(node: Any) -> Any:
    """Write schemas of JSON Schema 2020-12 as OpenAPI 3.0 has them (OAS 3.0.3, schema object); a copy."""
    if isinstance(node, list):
        return [_in_version_3_0(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {name: _in_version_3_0(part) for name, part in node.items()}
    if isinstance(made.get("anyOf"), list):
        kept = [part for part in made["anyOf"] if part != {"type": "null"}]
        if len(kept) < len(made["anyOf"]):
            made["nullable"] = True
        made["anyOf"] = kept
        if len(kept) == 1:
            del made["anyOf"]
            made |= {"allOf": kept} if "$ref" in kept[0] else {**kept[0], **made}
    if isinstance(made.get("type"), list) and "null" in made["type"]:
        (made["type"],) = (kind for kind in made["type"] if kind != "null")
        made["nullable"] = True
    if "const" in made and not isinstance(made["const"], dict):
        made["enum"] = [made.pop("const")]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(bound), int | float) and not isinstance(made[bound], bool):
            made[limit], made[bound] = made[bound], True
    if isinstance(made.get("prefixItems"), list):  # which members a place has, one by one, cannot be said
        kinds = made.pop("prefixItems")
        made["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}
    if made.pop("contentMediaType", None) is not None:
        made["format"] = "binary"
    return made
