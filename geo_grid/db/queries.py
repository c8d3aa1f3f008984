"""Loads SQL statements from .sql files beside the modules that use them; a line `-- name: x` begins each."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load_queries(package: str, file: str) -> dict[str, str]:
    """Read the named statements of a .sql file of a package.

    Returns
    -------
    Statement text by name, in the order of the file.
    """
    parts = _NAME.split(files(package).joinpath(file).read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))
