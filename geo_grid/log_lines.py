"""Log lines: in colours for a person at a terminal, else one JSON object to a line, each with the id of its request."""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

from geo_grid.passwords import without_passwords

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is answered (the header X-Request-ID of its answer); empty outside of one."""


class JsonLines(logging.Formatter):
    """Writes `time` (UTC, RFC 3339), `level`, `logger`, `message`, and where there is one `request_id` and `error` (a traceback).

    Passwords that stand in a message or a traceback are left out, as in any text that is kept.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_passwords(record.getMessage())[0],
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = without_passwords("".join(traceback.format_exception(record.exc_info[1])))[0]
        return json.dumps(line, ensure_ascii=False)
