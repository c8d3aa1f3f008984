"""Options of the command line as parameters of a request: texts name the former, and are said over HTTP too."""

import re

_OPTION = re.compile(r"--([a-z-]+)")
_PARAMETERS = {"column": "columns", "set": "constants"}


def as_parameters(text: str) -> str:
    """Return a text with parameters instead of options of the command line."""
    return _OPTION.sub(lambda option: _PARAMETERS.get(option[1], option[1].replace("-", "_")), text)
