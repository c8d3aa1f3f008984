"""Limits of forms: one file and some short text fields, and few separators between them."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

_FIELDS = 20
_FIELD_BYTES = 1 << 14
"""Most bytes of a text field: 4,000 characters, the longest of any field, of at most 4 bytes each."""
_SEPARATORS = 100
"""The parser takes a microsecond on the event loop for each byte around a separator; it passes over others at once."""


class FormRequest(Request):
    """A request whose form is refused with 400 beyond the limits; Starlette's defaults allow a thousand texts of 1 MB."""

    def form(self, **_: Any) -> Any:
        """Read the form within the limits."""
        return super().form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the body as it comes; of a form, refuse very many separators, and blanks after one."""
        kind, options = parse_options_header(self.headers.get("content-type"))
        separators = {
            b"multipart/form-data": b"--" + options.get(b"boundary", b""),
            b"application/x-www-form-urlencoded": b"&",
        }
        separator, met, end = separators.get(kind), 0, b""
        async for part in super().stream():
            if separator is not None:
                looked, end = end + part, (end + part)[-len(separator) :]
                met += looked.count(separator)
                if met > _SEPARATORS or separator + b" " in looked or separator + b"\t" in looked:
                    raise HTTPException(400, f"a form has at most {_SEPARATORS} separators, and no blanks after them")
            yield part
