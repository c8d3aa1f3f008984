"""PostgreSQL's own command line, on the database of the program."""

import os
import signal
import subprocess
from collections.abc import Sequence

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo_grid.errors import SetupError


def run_psql(conninfo: str, arguments: Sequence[str]) -> int:
    """Run psql until it ends, and return its exit code.

    Parameters
    ----------
    conninfo
        libpq connection string or address; its password is not shown to whoever lists processes.

    Raises
    ------
    SetupError
        There is no psql on this machine.
    """
    given = conninfo_to_dict(conninfo)
    password = given.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password is not None else {})}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends a statement in psql, not what it runs in
    try:
        command = ["psql", f"--dbname={make_conninfo('', **given)}", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    except FileNotFoundError:
        message = "psql is not installed (Debian: apt-get install postgresql-client)"
        raise SetupError(message) from None
    finally:
        signal.signal(signal.SIGINT, before)
