"""Runs psql on the program's database."""

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
        libpq connection string or URL; its password is passed by the environment, not visible in the list of processes.

    Raises
    ------
    SetupError
        psql is not installed.
    """
    given = conninfo_to_dict(conninfo)
    password = given.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password is not None else {})}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C cancels a statement in psql, and not this program
    try:
        command = ["psql", f"--dbname={make_conninfo('', **given)}", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    except FileNotFoundError:
        message = "psql is not installed (Debian: apt-get install postgresql-client)"
        raise SetupError(message) from None
    finally:
        signal.signal(signal.SIGINT, before)
