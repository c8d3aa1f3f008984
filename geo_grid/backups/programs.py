"""PostgreSQL's own programs for backups, of the version of the server."""

import os
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo_grid.errors import SetupError

_DEBIAN = Path("/usr/lib/postgresql")


def begin(program: str, version: int, conninfo: str | None, *arguments: str, output: int) -> "subprocess.Popen[bytes]":
    """Start pg_dump or pg_restore; passwords are passed by the environment, not visible in the list of processes.

    Parameters
    ----------
    version
        Major version of the server, whose program is taken where several are installed.
    conninfo
        None: it needs no database.

    Raises
    ------
    SetupError
        It is not installed.
    """
    given = conninfo_to_dict(conninfo or "")
    password = given.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **({"PGPASSWORD": str(password)} if password is not None else {})}
    beside = _DEBIAN / str(version) / "bin" / program
    database = [f"--dbname={make_conninfo('', **given)}"] if given else []
    try:
        return subprocess.Popen(
            [str(beside) if beside.exists() else program, *database, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, env=environment,
        )  # fmt: skip
    except FileNotFoundError:
        message = f"{program} is not installed (Debian: apt-get install postgresql-client-{version})"
        raise SetupError(message) from None


def said_by(process: "subprocess.Popen[bytes]", program: str) -> str:
    """Return all that a program says, when it has ended. Raises SetupError with its first complaint when it failed."""
    with process:
        try:
            said, complaints = process.communicate()
        except BaseException:
            process.kill()
            raise
    refuse_failed(process.returncode, complaints, program)
    return (said or b"").decode(errors="replace")


def refuse_failed(code: int, complaints: bytes, program: str) -> None:
    """Raise SetupError with a program's first complaint if its exit code says that it failed."""
    if code != 0:
        lines = complaints.decode(errors="replace").splitlines()
        complaint = next((line for line in lines if "error" in line), (lines or ["no message"])[0])
        message = f"{program} failed: {complaint.removeprefix(f'{program}: error: ')}"
        raise SetupError(message)
