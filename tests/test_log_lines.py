"""Log lines that are not for a terminal: an object each, with the id of the request."""

import asyncio
import json
import logging
from datetime import datetime

import pytest

from geo_grid.budgets import Budget
from geo_grid.log_lines import REQUEST_ID, JsonLines


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
