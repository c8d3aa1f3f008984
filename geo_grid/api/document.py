"""The OpenAPI document: FastAPI's, with errors under the media type they really have."""

from typing import Any

from fastapi import FastAPI

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the app."""
    document = app.openapi()
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
