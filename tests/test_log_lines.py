"""Log lines that are not for a terminal: an object each, with the id of the request."""

import asyncio
import json
import logging
from datetime import datetime

import httpx
import pytest

from geo_grid.budgets import Budget
from geo_grid.log_lines import REQUEST_ID, JsonLines
from tests.conftest import live_server


def test_a_line_has_its_time_its_request_and_the_whole_error() -> None:
    record = logging.LogRecord("geo_grid.x", logging.ERROR, "x.py", 1, "unexpected error at %r", ("/desk\n",), None)
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    token = REQUEST_ID.set("abc")
    try:
        text = JsonLines().format(record)
    finally:
        REQUEST_ID.reset(token)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["logger"], line["request_id"]) == ("error", "geo_grid.x", "abc")
    assert line["message"] == "unexpected error at '/desk\\n'"
    assert line["error"].endswith("ValueError: two\nlines\n")
    assert datetime.fromisoformat(line["time"]).tzinfo is not None


def test_a_line_outside_of_a_request_has_no_id(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("geo_grid.y").warning("x")
    assert "request_id" not in json.loads(JsonLines().format(caplog.records[0]))


def test_what_a_thread_does_for_a_request_has_its_id() -> None:
    async def ask() -> str:
        REQUEST_ID.set("abc")
        return await Budget("tests", at_once=1, waiting=0, each=1).run(1, REQUEST_ID.get)

    assert asyncio.run(ask()) == "abc"


def test_a_password_in_a_message_or_a_traceback_is_not_logged() -> None:
    try:
        raise ValueError("cannot reach postgresql://geo:s3cret-1@db/geo, password=s3cret-2")
    except ValueError as error:
        failed = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("geo_grid.x", logging.ERROR, "x.py", 1, "asked with pwd=s3cret-3", (), failed)
    text = JsonLines().format(record)
    assert "s3cret" not in text
    assert "cannot reach" in text


def test_requests_that_fail_have_a_line_and_with_the_setting_all_have(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        with live_server(database) as url:
            httpx.get(f"{url}/levels?secret=1")
        assert "GET" not in " ".join(
            record.getMessage() for record in caplog.records if record.name.endswith("requests")
        )
        with live_server(database, log_requests=True) as url:
            httpx.get(f"{url}/levels?secret=1")
    (told,) = [record.getMessage() for record in caplog.records if record.name.endswith("server.requests")]
    assert told.startswith("GET ")
    assert ": 401 after 0." in told
    assert "secret" not in told
