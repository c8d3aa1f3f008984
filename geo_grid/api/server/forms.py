"""Limits of multipart forms: one file and some short text fields."""

from typing import Any

from fastapi import Request

_FIELDS = 20
_FIELD_BYTES = 1 << 14
"""Most bytes of a text field: 4,000 characters, the longest of any field, of at most 4 bytes each."""


class FormRequest(Request):
    """A request whose form is refused with 400 beyond the limits; Starlette's defaults allow a thousand texts of 1 MB."""

    def form(self, **_: Any) -> Any:
        """Read the form within the limits."""
        return super().form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
