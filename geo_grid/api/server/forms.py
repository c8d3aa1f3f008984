"""Forms whose fields have an end: one file, and some short texts beside it."""

from typing import Any

from fastapi import Request

_FIELDS = 20
_FIELD_BYTES = 1 << 14
"""4,000 characters, as much as any field of ours takes, of at most 4 bytes each."""


class FormRequest(Request):
    """A request whose form is refused with 400 as soon as it is too much; a thousand texts of 1 MB would be taken else."""

    def form(self, **_: Any) -> Any:
        """Read the form."""
        return super().form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
