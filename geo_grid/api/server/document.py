"""The OpenAPI document: FastAPI's, converted to OpenAPI 3.0, with errors as application/problem+json.

OGC API Features has a conformance class for version 3.0 only (oas30; OGC 17-069r4, clause 9), and GIS programs look for its
media type. FastAPI writes 3.1; in its output only the dialect of the schemas differs.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from geo_grid.api.server.problems import PROBLEM_CONTENT, Problem

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.0"
_VERSION = "3.0.3"


_documents: dict[tuple[int, ...], dict[str, Any]] = {}
"""Documents by the identities of the routes they describe, which all apps of a process have in common."""


def describe(app: FastAPI, address: str) -> dict[str, Any]:
    """Return the OpenAPI document of the app, with the address that clients reach it at; nobody may change the rest of it.

    The first call of a process takes seconds: call it in a thread.
    """
    routes = tuple(id(route) for route in app.routes if isinstance(route, APIRoute))
    if routes not in _documents:
        _documents[routes] = _written(app)
    return {**_documents[routes], "servers": [{"url": address}]}


def _written(app: FastAPI) -> dict[str, Any]:
    document: dict[str, Any] = _in_version_3_0(app.openapi())
    document["openapi"] = _VERSION
    about = document["info"]
    about["description"] = about.pop("summary")
    about["license"] = {"name": about["license"]["name"]}
    document["components"]["schemas"]["Problem"] = _in_version_3_0(Problem.model_json_schema())
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault(
                "default",
                {"description": "A problem (RFC 9457)", "content": PROBLEM_CONTENT},
            )
    return document


def _drop_newer_words(schema: dict[str, Any]) -> None:
    """Replace what OpenAPI 3.0 has no word for, in place."""
    if isinstance(schema.get("prefixItems"), list):  # it has no schema for each position of an array
        kinds = schema.pop("prefixItems")
        schema["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}
    if schema.get("type") == "object":
        schema.pop("propertyNames", None)  # nor for names of properties: the server checks them
    if "type" in schema and isinstance(schema.get("examples"), list):  # nor for several examples
        schema["example"] = schema.pop("examples")[0]
    if schema.pop("contentMediaType", None) is not None:
        schema["format"] = "binary"


def _in_version_3_0(node: Any) -> Any:
    """Return a copy of schemas of JSON Schema 2020-12, converted to the dialect of OpenAPI 3.0 (OAS 3.0.3, schema object)."""
    if isinstance(node, list):
        return [_in_version_3_0(part) for part in node]
    if not isinstance(node, dict):
        return node
    schema = {name: _in_version_3_0(part) for name, part in node.items()}
    if isinstance(schema.get("anyOf"), list):
        kept = [part for part in schema["anyOf"] if part != {"type": "null"}]
        if len(kept) < len(schema["anyOf"]):
            schema["nullable"] = True
        schema["anyOf"] = kept
        if len(kept) == 1:
            del schema["anyOf"]
            schema |= {"allOf": kept} if "$ref" in kept[0] else {**kept[0], **schema}
    if isinstance(schema.get("type"), list) and "null" in schema["type"]:
        (schema["type"],) = (kind for kind in schema["type"] if kind != "null")
        schema["nullable"] = True
    if "const" in schema and not isinstance(schema["const"], dict):
        schema["enum"] = [schema.pop("const")]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(bound), int | float) and not isinstance(schema[bound], bool):
            schema[limit], schema[bound] = schema[bound], True
    _drop_newer_words(schema)
    return schema
