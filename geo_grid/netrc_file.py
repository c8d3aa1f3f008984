"""Names and passwords in a file of the form .netrc, which the operator keeps: they are never in the database."""

import netrc
import stat
from pathlib import Path

from geo_grid.errors import SetupError


def read_login(file: Path, host: str, variable: str) -> tuple[str, str] | None:
    """Return the name and password for a host; None: there are none. The file is read each time, so that it may change.

    Parameters
    ----------
    variable
        The setting that names the file, for messages.

    Raises
    ------
    SetupError
        The file cannot be read, or others can read it.
    """
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"others can read the passwords in {file}: chmod 600 {file}"
            raise SetupError(message)
        found = netrc.netrc(file).authenticators(host)
    except (OSError, netrc.NetrcParseError) as error:
        why = error.strerror if isinstance(error, OSError) else f"line {error.lineno} is not of the form .netrc"
        message = f"the passwords in {file} ({variable}) cannot be read: {why}"
        raise SetupError(message) from None
    return (found[0], found[2] or "") if found else None
