"""PostgreSQL's own programs for backups, of the version of the server."""

import os
import subprocess
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo_grid.errors import SetupError

_DEBIAN = Path("/usr/lib/postgresql")


def begin(
    program: str, version: int, conninfo: str, *arguments: str, output: int | IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start pg_dump or pg_restore; passwords are passed by the environment, not visible in the list of processes.

    Parameters
    ----------
    version
        Major version of the server, whose program is taken where several are installed.

    Raises
    ------
    SetupError
        It is not installed.
    """
    given = conninfo_to_dict(conninfo)
    password = given.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **({"PGPASSWORD": str(password)} if password is not None else {})}
    beside = _DEBIAN / str(version) / "bin" / program
    try:
        return subprocess.Popen(
            [str(beside) if beside.exists() else program, f"--dbname={make_conninfo('', **given)}", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, env=environment,
        )  # fmt: skip
    except FileNotFoundError:
        message = f"{program} is not installed (Debian: apt-get install postgresql-client-{version})"
        raise SetupError(message) from None


def ended(process: "subprocess.Popen[bytes]", program: str) -> None:
    """Wait for its end. Raises SetupError with its first complaint when it failed."""
    said = (process.stderr.read() if process.stderr is not None else b"").decode(errors="replace")
    if process.wait() != 0:
        complaint = next((line for line in said.splitlines() if "error" in line), said.strip() or "no message")
        message = f"{program} failed: {complaint.removeprefix(f'{program}: error: ')}"
        raise SetupError(message)
