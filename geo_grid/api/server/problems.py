"""Errors as problem+json (RFC 9457): the mapping from exceptions to HTTP statuses, only here."""

import errno
import http
import logging
import math
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from geo_grid import errors
from geo_grid.db import translated_errors
from geo_grid.wording import spoken, worded

log = logging.getLogger(__name__)

STATUS: dict[type[errors.GeoGridError], int] = {
    errors.NotLoggedIn: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.NotOffered: 405,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.Outdated: 412,
    errors.UnsupportedMedia: 415,
    errors.BadRequest: 400,
    errors.InvalidQuery: 400,
    errors.InvalidCoordinates: 422,
    errors.UnknownCrs: 422,
    errors.InvalidRows: 422,
    errors.UnreadableFile: 422,
    errors.UnwritableFile: 507,
    errors.TooMany: 429,
    errors.UserError: 422,
    errors.Busy: 503,
    errors.DatabaseUnavailable: 503,
    errors.ProviderUnavailable: 503,
    errors.ProgramMissing: 503,
    errors.StorageUnavailable: 507,
    errors.SetupError: 500,
    errors.GeoGridError: 500,
}


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="urn:geo-grid:problem:<name of the error>, or about:blank")
    title: str
    status: int
    detail: str = Field(description="what is wrong and what to do about it")
    errors: list[dict[str, Any]] | None = Field(None, description="single faults, each with a place and a reason")


class ProblemResponse(JSONResponse):
    """JSON under the media type of problem details."""

    media_type = "application/problem+json"


PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
"""Content of a response in the OpenAPI document."""
PROBLEM: dict[str, Any] = {"content": PROBLEM_CONTENT}
"""A response of a route; with `model` FastAPI would make a validator for each of them on each route."""
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: PROBLEM | {"description": text}
    for code, text in (
        (400, "The request is no request: its body, or what it is sent with"),
        (401, "Nobody is logged in, or the credential is worth nothing any more"),
        (403, "No right to this"),
        (413, "The body is too large"),
        (422, "The input is wrong; the detail says how"),
        (429, "Asked too often; Retry-After says when to ask again"),
        (503, "The database cannot be reached, or there is too much to do; Retry-After says when to ask again"),
        (507, "The server cannot keep what it was sent or is to send"),
    )
}


_MOST_ROWS, _LONGEST = 1_000, 2_000
"""Most invalid rows in an answer, and most characters of a reason, so that it is not larger than the request."""
_MOST_FAULTS = 50
"""Most faults of one body or query in an answer; correcting them shows the next."""
_STORAGE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG, errno.ENOTDIR,
    errno.EEXIST, errno.ENOENT,
})  # fmt: skip
"""Error numbers of a disk that is full, read-only, not permitted, or removed."""
_HEADERS = {503: {"Retry-After": "2"}, 401: {"WWW-Authenticate": 'Bearer realm="geo_grid"'}}


def problem(
    status: int, detail: str, name: str | None = None, faults: Sequence[dict[str, Any]] | None = None
) -> ProblemResponse:
    """Make a problem response, in the language of who asks."""
    body = Problem(
        type=f"urn:geo-grid:problem:{name}" if name else "about:blank",
        title=worded(http.HTTPStatus(status).phrase),
        status=status,
        detail=worded(detail),
        errors=[{**fault, "detail": worded(fault["detail"])} for fault in faults] if faults else None,
    )
    headers = {**_HEADERS.get(status, {}), "Content-Language": spoken()}
    return ProblemResponse(body.model_dump(exclude_none=True), status, headers)


def problem_of(error: Exception, unprocessable: int = 422) -> ProblemResponse:
    """Make the problem response of one of our exceptions; `unprocessable` is the status of invalid input."""
    kind = next((k for k in type(error).__mro__ if k in STATUS), errors.GeoGridError)
    faults = (
        [{"row": row, "detail": reason[:_LONGEST]} for row, reason in error.rows[:_MOST_ROWS]]
        if isinstance(error, errors.InvalidRows)
        else None
    )
    if STATUS[kind] >= 500 and kind is not errors.Busy:
        log.error("%s: %s", kind.__name__, error)
    status = unprocessable if STATUS[kind] == 422 else STATUS[kind]
    answer = problem(status, str(error)[:_LONGEST], type(error).__name__, faults)
    if isinstance(error, errors.ComeBack):
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return answer


def _unprocessable(request: Request) -> int:
    """Return the status of invalid input: 400 where OGC API requires it (OGC 17-069r4, requirement 8), else 422."""
    is_ogc = request.method == "GET" and request.url.path.startswith(("/collections", "/tiles"))
    return 400 if is_ogc else 422


def _ours(request: Request, error: Exception) -> ProblemResponse:
    return problem_of(error, _unprocessable(request))


def _invalid(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return _of_faults(error.errors(), _unprocessable(request))


def _of_faults(found: Sequence[Any], status: int) -> ProblemResponse:
    faults = [
        {"pointer": "/".join(str(part) for part in fault["loc"])[:_LONGEST], "detail": errors.told(fault)[:_LONGEST]}
        for fault in found[:_MOST_FAULTS]
    ]
    said = "; ".join(f"{f['pointer']}: {worded(f['detail'])}" for f in faults)[:1000]
    return problem(status, said, "InvalidRequest", faults)


def problem_as_data(error: errors.GeoGridError | ValidationError | psycopg.Error) -> Problem:
    """Return what the app would answer, for one of many things in a request."""
    if isinstance(error, ValidationError):
        answer = _of_faults(error.errors(include_url=False), 422)
    elif isinstance(error, psycopg.Error):
        answer = _of_database(error, 422)
    else:
        answer = problem_of(error)
    return Problem.model_validate_json(bytes(answer.body))


def _http(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, OSError):  # an uploaded file is written to disk while it is received
        return _storage(request, error.__cause__)
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _database(request: Request, error: Exception) -> ProblemResponse:
    return _of_database(error, _unprocessable(request))


_ZERO_BYTE = re.compile(r"unsupported Unicode escape sequence|NUL|0x00")


def _of_database(error: Exception, unprocessable: int) -> ProblemResponse:
    try:
        with translated_errors():
            raise error
    except errors.GeoGridError as ours:
        return problem_of(ours)
    except psycopg.DataError as refused:  # a value PostgreSQL cannot hold, such as a zero byte in a text
        said = f"the database cannot hold this: {str(refused).splitlines()[0]}"
        if _ZERO_BYTE.search(said):  # each way that a value goes there has words of its own for it
            said = "a text holds the character NUL, which the database cannot hold"
        return problem(unprocessable, said, "InvalidRequest")
    except psycopg.Error:
        return _unforeseen(error, "the database")


def _too_deep(request: Request, _: Exception) -> ProblemResponse:
    said = "what was sent holds lists within lists, or objects within objects, deeper than can be read"
    return problem(_unprocessable(request), said, "InvalidRequest")


def _storage(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, OSError) or error.errno not in _STORAGE:
        return _unexpected(request, error)
    said = f"the server cannot keep files: {(error.strerror or 'no reason given').lower()}; nothing was changed"
    log.error("%s: %s", said, error.filename)
    return problem_of(errors.StorageUnavailable(said))


def _unexpected(request: Request, error: Exception) -> ProblemResponse:
    return _unforeseen(error, request.url.path)


def _unforeseen(error: Exception, where: str) -> ProblemResponse:
    log.error("unexpected error at %r", where, exc_info=error)
    return problem(500, "an unexpected error on our side; it is in the server's log")


type _Handler = Callable[[Request, Exception], ProblemResponse]


def _on_the_loop(handler: _Handler) -> Callable[[Request, Exception], Coroutine[None, None, ProblemResponse]]:
    """Have a handler called on the event loop: Starlette calls others in a thread, which costs more than the answer, and
    for which whoever is refused would wait behind all who are.
    """

    async def handle(request: Request, error: Exception) -> ProblemResponse:
        return handler(request, error)

    return handle


def install(app: FastAPI) -> None:
    """Register the handlers that answer all exceptions of the app with a problem."""
    app.add_exception_handler(errors.GeoGridError, _on_the_loop(_ours))
    app.add_exception_handler(RequestValidationError, _on_the_loop(_invalid))
    app.add_exception_handler(HTTPException, _on_the_loop(_http))
    app.add_exception_handler(psycopg.Error, _on_the_loop(_database))
    app.add_exception_handler(RecursionError, _on_the_loop(_too_deep))
    app.add_exception_handler(PoolTimeout, _on_the_loop(_database))
    app.add_exception_handler(OSError, _on_the_loop(_storage))
    app.add_exception_handler(Exception, _on_the_loop(_unexpected))
